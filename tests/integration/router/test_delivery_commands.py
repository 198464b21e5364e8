"""`readacross deliveries` against a running router: what is owed is seen, called off, and sent after all."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from router.app import RunningRouter, issue_token
from tests.integration.router.region import NodeSide, TestClock, settled, write_region
from tests.integration.router.test_rota_commands import Command


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """One report is on its way home to RXN."""
    settings, clock = write_region(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite"), TestClock()
    admin, node, reader = (
        issue_token(settings, role, subject, clock)  # type: ignore[arg-type]
        for role, subject in (("admin", "test"), ("node", "RXN"), ("reader", "reader-1"))
    )
    with RunningRouter(settings, clock) as running, httpx2.Client(base_url=f"http://{running.address}") as client:
        NodeSide(client, node, clock).say(settled())  # type: ignore[arg-type]
        as_reader = {"Authorization": f"Bearer {reader}"}
        (read,) = client.get("/reads", headers=as_reader).json()
        token = client.post(f"/reads/{read['id']}/claim", headers=as_reader).json()["transaction_uid"]
        body = {"transaction_uid": token, "status": "F", "text": "All well", "report_id": "report-1"}
        assert client.post(f"/reads/{read['id']}/report", json=body, headers=as_reader).status_code == 201
        yield Command(tmp_path, running.address, admin)


def test_a_person_sees_what_is_owed_calls_it_off_and_has_it_sent_after_all(command: Command) -> None:
    shown = command("deliveries", "list").stdout
    assert [line.count("QUEUED") for line in shown.splitlines() if "report-1" in line] == [1, 1]
    assert "0 min" in shown

    off = command("deliveries", "cancel", "report-1", "ris", "--reason", "typed in by hand")
    assert (off.exit_code, off.stdout.strip()) == (0, "ris of RXN: CANCELLED")
    assert "ris" not in command("deliveries", "list", "--trust", "RXN").stdout
    assert "typed in by hand" in command("deliveries", "list", "--all").stdout

    again = command("deliveries", "resend", "report-1", "ris", "--reason", "it was not")
    assert (again.exit_code, again.stdout.strip()) == (0, "ris of RXN: QUEUED")
    refused = command("deliveries", "resend", "report-1", "ris", "--reason", "once more")
    assert refused.exit_code == 1
    assert "still tries" in str(refused.exception)
    assert command("deliveries", "list", "--trust", "RXL").stdout.strip() == "Nothing is on its way."
