"""Versions of reports and changes of patients, decided without a database."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from router.model.delivery import Delivery, DeliveryState, ListedDelivery
from router.model.imaging_order import ImagingOrder
from router.model.patient_change import PatientChange
from router.model.read import Read, ReadState
from router.model.report import Report
from router.model.study import Study
from router.model.study_identity import PatientKey
from router.rules.order_joining import joins
from router.rules.patient_change import Conflict, Rekey, Unchanged, judge, refusal
from router.rules.report_versions import must_wait, needless, outgoing_status, overtaken, read_meant, useless_after
from tests.unit.router.people import NOW

KEY = PatientKey("RXN", "H1", "9990000018", date(1950, 2, 3))
STUDY = Study("1.2.3", "RXN", "A1", "RXN", KEY, 1, ("CT",), None, None, None, None)


def version(number: int, status: str = "F", minute: int = 0, **changes: Any) -> Report:
    at = NOW + timedelta(minutes=minute)
    report = Report(
        id=f"r{number}", node="RXL", channel="hl7_oru", study_instance_uid="1.2.3", accession_number=None,
        accession_issuer=None, patient=KEY, status=status, text=f"text {number}", registration="C-a", author_name=None,
        authored_at=at, received_at=at, version=number,
    )  # fmt: skip
    return replace(report, **changes)


def delivery(
    number: int, state: str, channel: str = "ris", *, status: str = "F", addendum: bool = False
) -> ListedDelivery:
    one = Delivery(f"r{number}", channel, "o", DeliveryState(state), NOW)
    return ListedDelivery(one, "RXN", "1.2.3", "read", number, status, addendum)


@pytest.mark.parametrize(
    ("report", "dropped"),
    [
        (version(9, "P", -5), True),
        (version(9, "P", 5), True),
        (version(9, "P", 5, registration="C-b"), False),
        (version(9, "P", -5, registration="C-b"), True),
        (version(9, "F", 5, text="text 1"), True),
        (version(9, "F", 5, text="text 1", registration="C-b"), False),
        (version(9, "F", 5), False),
        (version(9, "C", 9, text="text 2"), True),
        (version(9, "C", 9), False),
        (version(9, "F", 9, text="text 1", addendum=True), False),
    ],
)
def test_what_says_nothing_new_needs_no_version(report: Report, dropped: bool) -> None:
    assert (needless(report, [version(1), version(2, "C", 2)]) is not None) is dropped


@pytest.mark.parametrize(
    ("report", "before", "dropped"),
    [
        (version(2, "P", text="text 1"), [version(1, "P")], True),
        (version(2, "P"), [version(1, "P")], False),
        (version(2, "P", text="text 1", registration="C-b"), [version(1, "P")], False),
        (version(3, "P", text="text 1"), [version(1, "P"), version(2, "P", 1)], True),
        (version(3, "P", 2, text="text 1"), [version(1, "P"), version(2, "P", 1)], False),
        (version(2, "F", text="text 1"), [version(1, "P")], False),
        (version(1, "P"), [], False),
    ],
)
def test_before_a_final_report_only_the_same_preliminary_is_not_needed_twice(
    report: Report, before: list[Report], dropped: bool
) -> None:
    assert (needless(report, before) is not None) is dropped


def test_a_correction_is_of_the_read_that_was_signed() -> None:
    signed = Read("a", "1.2.3", "RXN", 1, ReadState.CLOSED, NOW, NOW, ("CT",))
    fresh = replace(signed, id="b", state=ReadState.READING, ordinal=2)
    assert read_meant(version(2, "C"), [signed, fresh], ["a"]) == signed
    assert read_meant(version(2, "F"), [signed, fresh], ["a"]) == fresh
    assert read_meant(version(2, "X"), [signed, fresh], ["a", "b"]) == fresh


@pytest.mark.parametrize(
    ("addendum", "earlier", "waits"),
    [
        (True, delivery(1, "SENT"), True),
        (True, delivery(1, "PARKED"), True),
        (True, delivery(1, "FILED"), False),
        (True, delivery(1, "CANCELLED"), False),
        (True, delivery(1, "SENT", "archive"), False),
        (False, delivery(1, "SENT"), False),
        (False, delivery(1, "SENT", addendum=True), True),
        (False, delivery(3, "SENT", addendum=True), False),
    ],
)
def test_an_addendum_neither_overtakes_nor_is_overtaken(addendum: bool, earlier: ListedDelivery, waits: bool) -> None:
    assert must_wait(2, addendum, "ris", [earlier]) is waits


def test_what_a_later_version_overtook_is_useless_but_an_addendum_never_is() -> None:
    later = delivery(2, "ACKED", status="C")
    assert overtaken(delivery(1, "PARKED"), [later]) == 2
    assert overtaken(delivery(1, "PARKED", "archive"), [later]) is None
    assert overtaken(delivery(1, "PARKED", addendum=True), [later]) is None
    assert overtaken(delivery(1, "PARKED"), [delivery(2, "SENT")]) is None
    assert overtaken(delivery(1, "PARKED"), [delivery(2, "FILED", addendum=True)]) is None


def test_only_a_preliminary_that_is_still_owed_is_stopped_for_a_later_version() -> None:
    listed = [delivery(1, "SENT", status="P"), delivery(2, "FILED", status="P"), delivery(3, "SENT")]
    assert useless_after(4, "F", False, listed) == listed[:1]
    assert useless_after(4, "P", False, listed) == []


def test_after_a_correction_no_final_report_goes_out_as_final() -> None:
    assert outgoing_status(version(3), [version(1)]) == "F"
    assert outgoing_status(version(3), [version(1), version(2, "C")]) == "C"
    assert outgoing_status(version(3, addendum=True), [version(1)]) == "C"
    second = replace(version(2), read_id="second")
    assert outgoing_status(second, [version(1)], {"second"}) == "C"
    assert outgoing_status(version(3), [version(1), second], {"second"}) == "C"


@pytest.mark.parametrize(
    ("present", "prior", "verdict"),
    [
        (KEY, None, Unchanged()),
        (replace(KEY, nhs_number=None), None, Unchanged()),
        (replace(KEY, patient_id="H2"), KEY, Rekey(replace(KEY, patient_id="H2"), ("patient_id",))),
        (PatientKey("RXN", "H2"), KEY, Rekey(replace(KEY, patient_id="H2"), ("patient_id",))),
    ],
)
def test_a_change_rekeys_what_it_changes(
    present: PatientKey, prior: PatientKey | None, verdict: Unchanged | Rekey
) -> None:
    assert judge(PatientChange(present, prior), STUDY) == verdict


def test_a_doubtful_change_holds_and_a_contradicting_one_conflicts() -> None:
    born = replace(KEY, birth_date=date(1950, 2, 4))
    doubtful = judge(PatientChange(born), STUDY)
    assert isinstance(doubtful, Rekey)
    assert doubtful.doubt == "the birth date of the patient was changed"
    other = replace(born, nhs_number="9990000026")
    assert isinstance(judge(PatientChange(other), STUDY), Conflict)
    assert isinstance(judge(PatientChange(replace(born, patient_id="H2"), KEY), STUDY), Conflict)


def test_nothing_is_merged_across_issuers_or_without_them() -> None:
    assert "two issuers" in (refusal(PatientChange(replace(KEY, issuer="RXL"), KEY)) or "")
    assert "missing" in (refusal(PatientChange(replace(KEY, issuer=None))) or "")
    assert refusal(PatientChange(KEY)) is None


@pytest.mark.parametrize(
    ("patient", "uid", "joined"),
    [
        (KEY, "1.2.3", True),
        (PatientKey(None, None), "1.2.3", True),
        (PatientKey(None, None), "9.9", False),
        (KEY, "9.9", True),
        (replace(KEY, patient_id="H2"), "1.2.3", False),
        (replace(KEY, issuer="RXL", patient_id="H2"), "1.2.3", True),
        (replace(KEY, birth_date=date(1950, 2, 4)), "1.2.3", False),
    ],
)
def test_an_order_joins_the_study_that_denies_nothing(patient: PatientKey, uid: str, joined: bool) -> None:
    order = ImagingOrder("RXN", "A1", "RXN", patient, NOW, study_instance_uid=uid)
    assert (joins(order, STUDY) is None) is joined
