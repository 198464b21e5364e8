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
READ = Read("r", "1.2.3", "RXN", 1, ReadState.READING, NOW, NOW, ("CT",), epoch=1, lease=LEASE, images_delivered_at=NOW)


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
    assert accept_report(report(status=status), replace(READ, state=state), reader(), (), NOW) == Accept(event)


def test_the_live_token_is_accepted() -> None:
    assert isinstance(accept_report(report(transaction_uid=TOKEN), READ, reader(), (), NOW), Accept)


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
    verdict = accept_report(report(**changes), read, author, (), NOW)
    assert isinstance(verdict, Hold)
    assert reason in verdict.reason


def test_an_older_report_never_replaces_a_newer_one() -> None:
    later = report(authored_at=NOW + timedelta(seconds=1), received_at=NOW + timedelta(seconds=1))
    assert accept_report(report(), READ, reader(), (later,), NOW) == Hold(
        "a newer report of the same read was already taken"
    )
    assert isinstance(accept_report(report(), READ, reader(), (report(),), NOW), Accept)


def test_a_preliminary_of_a_fast_clock_does_not_shut_the_final_out() -> None:
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    fast = report(status="P", authored_at=NOW + hour, received_at=NOW + minute)
    final = report(authored_at=NOW + 2 * minute, received_at=NOW + 2 * minute)
    assert isinstance(accept_report(final, READ, reader(), (fast,), NOW + 2 * minute), Accept)


def test_a_live_token_outranks_timestamps() -> None:
    later = report(authored_at=NOW + timedelta(hours=1), received_at=NOW + timedelta(hours=1))
    assert isinstance(accept_report(report(transaction_uid=TOKEN), READ, reader(), (later,), NOW), Accept)


@pytest.mark.parametrize(
    ("changes", "read", "reason"),
    [
        ({"node": "RXN"}, READ, "it came by another node than that of its author's workstation"),
        ({"node": None}, READ, "it came by another node than that of its author's workstation"),
        (
            {},
            replace(READ, revision=2, images_delivered_at=None),
            "revision 2 of the images has not been delivered to its author",
        ),
        (
            {},
            replace(READ, lease=replace(LEASE, assigned_at=NOW + timedelta(seconds=1))),
            "it was written before the read was given to its author",
        ),
        (
            {},
            replace(READ, revision=2, images_delivered_at=NOW + timedelta(seconds=1)),
            "it was written before revision 2 of the images was delivered to its author",
        ),
        (
            {"authored_at": NOW + timedelta(hours=1)},
            replace(READ, images_delivered_at=NOW + timedelta(seconds=1)),
            "it was written before revision 1 of the images was delivered to its author",
        ),
    ],
)
def test_without_a_token_a_report_must_be_of_what_its_author_has_now(
    changes: dict[str, Any], read: Read, reason: str
) -> None:
    assert accept_report(report(**changes), read, reader(), (), NOW) == Hold(reason)
    tokened = report(**{**changes, "node": None, "transaction_uid": TOKEN})
    assert isinstance(accept_report(tokened, read, reader(), (), NOW), Accept)


def test_times_are_compared_in_whole_seconds_because_reports_give_no_more() -> None:
    late = NOW + timedelta(milliseconds=900)
    read = replace(READ, images_delivered_at=late, lease=replace(LEASE, assigned_at=late))
    earlier = report(status="P", authored_at=late, received_at=late)
    assert isinstance(accept_report(report(received_at=late), read, reader(), (earlier,), late), Accept)
