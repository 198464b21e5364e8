"""What several threads want written shares a commit, and each hears of its own item alone."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import TimeoutError as DatabaseTimeout

from dicom_nodes.foundation.shared_commits import SharedCommits


class Disk:
    """Writes when it is let; an item `bad` it never takes."""

    def __init__(self) -> None:
        self.commits: list[list[str]] = []
        self.tried: list[list[str]] = []
        self.begun, self.may_go_on = threading.Event(), threading.Event()
        self.away: Exception | None = None

    def write(self, items: Sequence[str]) -> None:
        self.tried.append(list(items))
        self.begun.set()
        assert self.may_go_on.wait(10)
        if self.away is not None:
            raise self.away
        if "bad" in items:
            raise ValueError("bad")
        self.commits.append(list(items))


def outcomes(disk: Disk, *items: str) -> dict[str, BaseException | None]:
    """What each thread heard; the first item's commit is under way while the others come."""
    together = SharedCommits(disk.write)
    with ThreadPoolExecutor(len(items)) as pool:
        first = pool.submit(together, items[0])
        assert disk.begun.wait(10)
        others = [pool.submit(together, item) for item in items[1:]]
        while len(together._waiting) < len(others):
            threading.Event().wait(0.001)
        disk.may_go_on.set()
        return {item: future.exception(10) for item, future in zip(items, [first, *others], strict=True)}


def test_those_who_come_during_a_commit_share_the_next() -> None:
    disk = Disk()
    assert set(outcomes(disk, "a", "b", "c", "d").values()) == {None}
    assert [sorted(commit) for commit in disk.commits] == [["a"], ["b", "c", "d"]]


def test_an_item_that_cannot_be_written_fails_nobody_elses() -> None:
    disk = Disk()
    told = outcomes(disk, "a", "b", "bad", "c")
    assert {item for item, failure in told.items() if failure is not None} == {"bad"}
    assert isinstance(told["bad"], ValueError)
    assert sorted(item for commit in disk.commits for item in commit) == ["a", "b", "c"]


def test_a_database_that_is_away_is_not_asked_again_for_each() -> None:
    disk = Disk()
    disk.away = DatabaseTimeout("no connection became free")
    told = outcomes(disk, "a", "b", "c")
    assert all(isinstance(failure, DatabaseTimeout) for failure in told.values())
    assert [len(tried) for tried in disk.tried] == [1, 2]


def test_nothing_returns_before_its_commit() -> None:
    disk = Disk()
    together = SharedCommits(disk.write)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(together, "a")
        assert disk.begun.wait(10)
        assert not future.done()
        disk.may_go_on.set()
        future.result(10)
    with pytest.raises(ValueError, match="bad"):
        together("bad")
