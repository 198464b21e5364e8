"""Only the entitled holder's report goes on."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from router.model.read import Lease, Read, ReadState
from router.model.report import Report
from router.model.study import PatientKey
from router.rules.read_states import Event
from router.rules.report_acceptance import Accept, Hold, accept_report
from tests.unit.router.people import NOW, credential, reader

TOKEN = "2.25.1"
LEASE = Lease("a", "s", TOKEN, NOW, NOW)
READ = Read("r", "1.2.3", "RXN", 1, ReadState.READING, NOW, NOW, ("CT",), epoch=1, lease=LEASE)


def report(**changes: Any) -> Report:
    values: dict[str, Any] = {
        "id": "x",
        "node": "RXL",
        "channel": "hl7_oru",
        "study_instance_uid": "1.2.3",
        "accession_number": None,
        "accession_issuer": None,
        "patient": PatientKey(None, None),
        "status": "F",
        "text": "t",
        "registration": "C-a",
        "author_name": None,
        "authored_at": NOW,
        "received_at": NOW,
    }
    return Report(**{**values, **changes})


@pytest.mark.parametrize("state", [ReadState.ASSIGNED, ReadState.READING, ReadState.ON_HOLD, ReadState.PRELIMINARY])
@pytest.mark.parametrize(("status", "event"), [("P", Event.REPORT), ("F", Event.VERIFY)])
def test_the_holder_may_report(state: ReadState, status: str, event: Event) -> None:
    assert accept_report(report(status=status), replace(READ, state=state), reader(), None, NOW) == Accept(event)


def test_the_live_token_is_accepted() -> None:
    assert isinstance(accept_report(report(transaction_uid=TOKEN), READ, reader(), None, NOW), Accept)


@pytest.mark.parametrize(
    ("changes", "read", "author", "reason"),
    [
        ({}, None, reader(), "the study has no read"),
        ({}, replace(READ, state=ReadState.VERIFIED), reader(), "a final report already stands"),
        ({"status": "P"}, replace(READ, state=ReadState.CLOSED), reader(), "a final report already stands"),
        ({"status": "C"}, READ, reader(), "status C has nothing it could correct"),
        ({"status": "X"}, READ, reader(), "status X has nothing it could correct"),
        ({}, replace(READ, state=ReadState.READY, lease=None), reader(), "nobody holds the read"),
        ({}, replace(READ, state=ReadState.SUPERSEDED), reader(), "nobody holds the read"),
        ({}, READ, None, "the author is not a known reader"),
        ({}, READ, reader("b"), "another reader holds the read"),
        ({"transaction_uid": "2.25.2"}, READ, reader(), "the fencing token is stale"),
        ({}, READ, reader(credentials=(credential(revoked_at=NOW),)), "not entitled to sign now"),
        ({}, READ, reader(credentials=(credential(valid_until=NOW),)), "not entitled to sign now"),
        ({}, READ, reader(active=False), "not entitled to sign now"),
    ],
)
def test_any_other_report_is_held(changes: dict[str, Any], read: Read | None, author: Any, reason: str) -> None:
    verdict = accept_report(report(**changes), read, author, None, NOW)
    assert isinstance(verdict, Hold)
    assert reason in verdict.reason


def test_an_older_report_never_replaces_a_newer_one() -> None:
    verdict = accept_report(report(), READ, reader(), NOW + timedelta(seconds=1), NOW)
    assert isinstance(verdict, Hold)
    assert isinstance(accept_report(report(), READ, reader(), NOW, NOW), Accept)
