"""The router as a process: it says where it listens, logs no patient data, and stops cleanly with polls open."""

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from dicom_nodes.contract import FactBatch
from router.app import RunningRouter, _bind, issue_token
from router.config import RouterSettings, load_router_settings
from tests.integration.router.region import HEALTH, received, settled, write_region

_START = (
    "import sys, pathlib; from dicom_nodes.foundation.event_log import configure_event_log; configure_event_log(); "
    "from router.app import serve; from router.config import load_router_settings; "
    "sys.exit(serve(load_router_settings(pathlib.Path(sys.argv[1]))))"
)


@contextmanager
def process(settings: RouterSettings) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-c", _START, str(settings.file)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        line = running.stdout.readline()
        assert line.startswith("router listens on http://127.0.0.1:"), line
        yield running, line.split()[3]
    finally:
        running.kill()
        running.communicate()


def fact_batch(*bodies: object) -> str:
    facts = [
        {"seq": number, "occurred_at": "2026-11-02T09:00:00Z", "body": body.model_dump(mode="json")}  # type: ignore[attr-defined]
        for number, body in enumerate(bodies, start=1)
    ]
    batch = {"outbox_id": "o", "facts": facts, "health": HEALTH.model_dump(mode="json")}
    return FactBatch.model_validate(batch).model_dump_json()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_open_polls_and_the_process_cleanly(tmp_path: Path, how: signal.Signals) -> None:
    settings = write_region(tmp_path, f"sqlite:///{tmp_path}/router.sqlite")
    headers = {"Authorization": f"Bearer {issue_token(settings, 'node', 'RXN')}"}
    with process(settings) as (running, address):
        assert httpx2.get(f"{address}/health").json()["state"] == "ok"
        answers: list[int] = []

        def poll() -> None:
            answer = httpx2.get(f"{address}/node/v1/orders", params={"wait": 50}, headers=headers, timeout=60)
            answers.append(answer.status_code)

        waiting = threading.Thread(target=poll)
        waiting.start()
        staff = {"Authorization": f"Bearer {issue_token(settings, 'admin', 'test')}"}
        while not any(n["last_traffic_at"] for n in httpx2.get(f"{address}/nodes", headers=staff).json()):
            assert waiting.is_alive()
        running.send_signal(how)
        assert running.wait(timeout=15) == 0
        waiting.join(timeout=5)
        assert answers == [200]


def test_an_answer_does_not_wait_for_its_first_part_to_be_acknowledged(tmp_path: Path) -> None:
    settings = write_region(tmp_path, f"sqlite:///{tmp_path}/router.sqlite")
    with _bind(settings) as bound, socket.create_connection(bound.getsockname()):
        accepted, _ = bound.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_killed_router_has_everything_it_acknowledged(tmp_path: Path) -> None:
    settings = write_region(tmp_path, f"sqlite:///{tmp_path}/router.sqlite", plan_every_s=0.1)
    token = issue_token(settings, "node", "RXN")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    staff = {"Authorization": f"Bearer {issue_token(settings, 'admin', 'test')}"}
    with process(settings) as (running, address):
        body = fact_batch(*[settled(f"1.2.{number}") for number in range(20)])
        answer = httpx2.post(f"{address}/node/v1/facts", content=body, headers=headers)
        assert answer.json() == {"accepted_through": 20}
        running.kill()
        running.wait()
    with process(settings) as (_, address):
        assert len(httpx2.get(f"{address}/reads", headers=staff).json()) == 20
        answer = httpx2.post(f"{address}/node/v1/facts", content=body, headers=headers)
        assert answer.json() == {"accepted_through": 20}
        assert len(httpx2.get(f"{address}/reads", headers=staff).json()) == 20


def test_no_patient_data_reaches_the_log(tmp_path: Path) -> None:
    settings = write_region(tmp_path, f"sqlite:///{tmp_path}/router.sqlite", plan_every_s=0.05)
    headers = {"Authorization": f"Bearer {issue_token(settings, 'node', 'RXN')}", "Content-Type": "application/json"}
    staff = {"Authorization": f"Bearer {issue_token(settings, 'admin', 'test')}"}
    too_long = settled("9.9." + "7" * 300, accession_number="MARKED-ACCESSION")
    too_large = settled("1.2.4", revision=2**70, accession_number="MARKED-ACCESSION")
    report = received("1.2.5", text="MARKED-TEXT \x00", accession_number="MARKED-ACCESSION")
    with process(settings) as (running, address):
        body = fact_batch(settled(accession_number="MARKED-ACCESSION"), too_long, too_large, report)
        assert httpx2.post(f"{address}/node/v1/facts", content=body, headers=headers).status_code == 200
        httpx2.get(f"{address}/ledger", params={"accession_number": "MARKED-ACCESSION"}, headers=staff)
        httpx2.post(f"{address}/node/v1/facts", content=b'{"MARKED-TEXT": 1}', headers=headers)
        httpx2.get(f"{address}/ledger", params={"accession_number": "\x00MARKED-ACCESSION"}, headers=staff)
        running.send_signal(signal.SIGTERM)
        _, log = running.communicate(timeout=15)
    assert "router.listening" in log
    for marked in ("MARKED", "9990000018", "H100200", "7" * 50):
        assert marked not in log
    assert all(json.loads(line) for line in log.splitlines())


def test_a_router_runs_in_a_thread_and_plans_by_itself(tmp_path: Path) -> None:
    write_region(tmp_path, f"sqlite:///{tmp_path}/router.sqlite", plan_every_s=0.05)
    file = tmp_path / "readers.toml"
    file.write_text(
        file.read_text().replace("2026-11-02T08", "2020-11-02T08").replace("2026-11-02T18", "2090-11-02T18")
    )
    lasting = file.read_text().replace("2026-11-02T08", "2020-11-02T08").replace("2026-11-02T18", "2090-11-02T18")
    file.write_text(lasting.replace("2026-01-01", "2020-01-01").replace("2027-01-01", "2090-01-01"))
    settings = load_router_settings(tmp_path / "router.toml")
    making = {"Authorization": f"Bearer {issue_token(settings, 'node', 'RXN')}", "Content-Type": "application/json"}
    reading = {"Authorization": f"Bearer {issue_token(settings, 'node', 'RXL')}"}
    with RunningRouter(settings) as running:
        url = f"http://{running.address}/node/v1"
        assert httpx2.post(f"{url}/facts", content=fact_batch(settled()), headers=making).status_code == 200
        orders = httpx2.get(f"{url}/orders", params={"wait": 20}, headers=reading, timeout=30).json()["orders"]
        assert [order["body"]["kind"] for order in orders] == ["fetch"]


@pytest.mark.parametrize(
    "head",
    [
        pytest.param((b"GET /", b"a", b" HTTP/1.1\r\nHost: x\r\n\r\n"), id="a URL"),
        pytest.param((b"GET /health HTTP/1.1\r\nHost: x\r\nX: ", b"a", b"\r\n\r\n"), id="one header"),
        pytest.param((b"GET /health HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n", b"\r\n"), id="many headers"),
        pytest.param(
            (b"POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"a", b"\r\n\r\n"),
            id="a trailer",
        ),
    ],
)
def test_a_head_without_end_is_taken_from_nobody_and_the_router_goes_on(
    running: RunningRouter, head: tuple[bytes, bytes, bytes]
) -> None:
    start, more, end = head
    host, port = running.address.split(":")
    for size, is_taken in ((50_000, True), (8_000_000, False)):
        with socket.create_connection((host, int(port)), timeout=30) as caller:
            assert is_taken == _is_served(caller, start + more * (size // len(more)) + end)


def test_a_body_of_many_parts_is_no_head(running: RunningRouter) -> None:
    answer = httpx2.post(f"http://{running.address}/node/v1/facts", content=b" " * 1_000_000)
    assert answer.status_code == 401


def _is_served(caller: socket.socket, request: bytes) -> bool:
    """Whether all of it is read and answered, and the connection kept for the next request."""
    try:
        caller.sendall(request + b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        said = b""
        while part := caller.recv(65_536):
            said += part
    except ConnectionError:
        return False
    return b'"state"' in said


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRouter]:
    folder = tmp_path_factory.mktemp("serving")
    with RunningRouter(write_region(folder, f"sqlite:///{folder}/router.sqlite")) as router:
        yield router
