"""Processes that may die: what they take with them is one instance, and none is left behind."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dicom_nodes.model.errors import CannotTranscode
from dicom_nodes.pixels.pool import TranscodingPool, timeout_s_for
from tests.peers.processes import wait_until

MISBEHAVING = "tests.integration.pixels.misbehaving_worker"
ANY = "1.2.840.10008.1.2"


@pytest.fixture
def pool() -> Iterator[TranscodingPool]:
    pool = TranscodingPool(processes=2, timeout_s=1.0, worker_module=MISBEHAVING)
    yield pool
    pool.close()


def pid(answer: bytes) -> int:
    return int(answer)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_process_serves_one_instance_after_another(pool: TranscodingPool) -> None:
    assert pid(pool(b"work", ANY, ANY)) == pid(pool(memoryview(b"work"), ANY, ANY))


@pytest.mark.parametrize(
    ("order", "words"),
    [(b"crash", r"crashed \(exit code -6\)"), (b"hang", "took longer than 1 s"), (b"half", "crashed")],
)
def test_process_that_misbehaves_is_replaced_and_says_why(pool: TranscodingPool, order: bytes, words: str) -> None:
    first = pid(pool(b"work", ANY, ANY))

    with pytest.raises(CannotTranscode, match=words):
        pool(order, ANY, ANY)

    second = pid(pool(b"work", ANY, ANY))
    assert second != first
    assert not is_alive(first)


def test_no_more_processes_work_at_once_than_allowed(pool: TranscodingPool) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _n: pool(b"work", ANY, ANY), range(40)))

    assert len(set(answers)) <= 2


def test_receiver_whose_conversions_take_long_never_has_all_processes(tmp_path: Path) -> None:
    pool, go_on = TranscodingPool(processes=2, timeout_s=20, worker_module=MISBEHAVING), tmp_path / "go-on"
    with ThreadPoolExecutor(2) as threads:
        long = [threads.submit(pool, bytes(go_on), ANY, ANY, "SLOW") for _ in range(2)]
        wait_until(lambda: all(future.running() for future in long), "both are under way")

        assert pid(pool(b"work", ANY, ANY, "OTHER"))

        assert not any(future.done() for future in long)
        go_on.touch()
        assert all(pid(future.result(30)) for future in long)
    pool.close()


def test_small_image_is_given_up_sooner_than_a_large_one() -> None:
    assert timeout_s_for(1 << 20) < 60 < 120 < timeout_s_for(100 << 20)


def test_closing_ends_the_processes_and_takes_nothing_more(pool: TranscodingPool) -> None:
    process = pid(pool(b"work", ANY, ANY))

    pool.close()

    assert not is_alive(process)
    with pytest.raises(CannotTranscode, match="stopping"):
        pool(b"work", ANY, ANY)
