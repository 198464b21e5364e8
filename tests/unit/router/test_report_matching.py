"""Which study a report is of: issuer-qualified, everything given agrees, one patient identifier proves it."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from router.model.study import PatientKey, Study
from router.rules.report_matching import Ambiguous, Matched, ReportIdentity, Unmatched, match_report

NHS, OTHER_NHS = "9990000018", "9990000026"
PATIENT = PatientKey("RXN", "H1", NHS, date(1950, 2, 3))


def study(uid: str = "1.2.3", origin: str = "RXN", **changes: Any) -> Study:
    values: dict[str, Any] = {
        "study_instance_uid": uid,
        "origin": origin,
        "accession_number": "A1",
        "accession_issuer": origin,
        "patient": replace(PATIENT, issuer=origin),
        "revision": 1,
        "modalities": ("CT",),
        "description": None,
        "exam_code": None,
        "body_part": None,
        "study_time": None,
    }
    return Study(**{**values, **changes})


def report(
    uid: str | None = "1.2.3", accession: tuple[str | None, str | None] = (None, None), **patient: Any
) -> ReportIdentity:
    return ReportIdentity(uid, accession[1], accession[0], replace(PATIENT, **patient))


@pytest.mark.parametrize(
    "given",
    [
        report(),
        report(uid=None, accession=("RXN", "A1")),
        report(accession=("RXN", "A1")),
        report(accession=(None, "A1")),
        report(nhs_number=None),
        report(issuer=None, patient_id=None),
        report(issuer=None),
        report(birth_date=None),
        report(nhs_number=None, birth_date=None),
    ],
)
def test_a_report_that_agrees_is_matched(given: ReportIdentity) -> None:
    match = match_report(given, [study()])
    assert isinstance(match, Matched)
    assert match.reasons


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (report("9.9"), "no study with this Study Instance UID is known"),
        (report(None), "the report names neither a study nor an accession number"),
        (report(None, (None, "A1")), "the accession number has no issuer, so it joins nothing"),
        (report(None, ("RXL", "A1")), "no study with this accession number of this issuer is known"),
        (report(accession=("RXN", "A2")), "the accession number or its issuer differs"),
        (report(accession=("RXL", "A1")), "the accession number or its issuer differs"),
        (report(accession=(None, "A2")), "the accession number or its issuer differs"),
        (report("9.9", ("RXN", "A1")), "the Study Instance UID differs"),
        (report(patient_id="H2"), "the patient id or its issuer differs"),
        (report(issuer="RXL"), "the patient id or its issuer differs"),
        (report(issuer=None, patient_id="H2"), "the patient id or its issuer differs"),
        (report(nhs_number=OTHER_NHS), "the NHS number differs"),
        (report(birth_date=date(1950, 3, 2)), "the birth date differs"),
        (
            report(issuer=None, nhs_number=None),
            "no patient identifier agrees: neither the qualified patient id nor a valid NHS number",
        ),
        (
            report(issuer=None, patient_id=None, nhs_number=None),
            "no patient identifier agrees: neither the qualified patient id nor a valid NHS number",
        ),
    ],
)
def test_a_report_that_does_not_agree_is_unmatched_for_that_reason(given: ReportIdentity, reason: str) -> None:
    match = match_report(given, [study()])
    assert isinstance(match, Unmatched)
    assert match.reasons == (reason,)


def test_an_nhs_number_that_fails_its_check_digit_proves_nothing() -> None:
    invented = "9990000019"
    theirs = study(patient=replace(PATIENT, nhs_number=invented))
    match = match_report(report(issuer=None, patient_id=None, nhs_number=invented), [theirs])
    assert isinstance(match, Unmatched)


def test_the_same_bare_number_in_two_trusts_never_joins() -> None:
    twins = [study("1.1", "RXN"), study("1.2", "RXL")]
    bare = ReportIdentity(None, "A1", None, PatientKey(None, "H1", NHS, PATIENT.birth_date))
    assert isinstance(match_report(bare, twins), Unmatched)


def test_two_studies_under_one_accession_are_ambiguous_without_the_uid() -> None:
    both = [study("1.1"), study("1.2")]
    match = match_report(report(None, ("RXN", "A1")), both)
    assert match == Ambiguous(("1.1", "1.2"), ("2 studies agree with everything the report gives",))
    assert isinstance(match_report(report("1.2", ("RXN", "A1")), both), Matched)


def test_one_accession_number_in_seventeen_trusts_goes_to_the_one_that_issued_it() -> None:
    trusts = [f"R{number:02}" for number in range(17)]
    everywhere = [study(f"1.{number}", trust) for number, trust in enumerate(trusts)]
    for number, trust in enumerate(trusts):
        given = ReportIdentity(None, "A1", trust, replace(PATIENT, issuer=trust))
        match = match_report(given, everywhere)
        assert isinstance(match, Matched)
        assert match.study.study_instance_uid == f"1.{number}"


def test_what_the_study_does_not_say_cannot_contradict() -> None:
    unqualified = study(accession_number=None, accession_issuer=None, patient=PatientKey(None, None, NHS, None))
    assert isinstance(match_report(report(accession=("RXN", "A1")), [unqualified]), Matched)


def test_reasons_hold_no_identifiers() -> None:
    match = match_report(report(patient_id="H2", nhs_number=OTHER_NHS, accession=("RXN", "A2")), [study()])
    assert isinstance(match, Unmatched)
    assert not any(value in " ".join(match.reasons) for value in ("H1", "H2", NHS, OTHER_NHS, "A1", "A2"))


CROSSED = "the Study Instance UID is of one study, the accession number of another"
ANOTHER = PatientKey("RXN", "H2", OTHER_NHS, date(1960, 1, 1))


@pytest.mark.parametrize(
    ("patient", "whose"),
    [
        (PATIENT, ("the patient's identifiers are those of the second",)),
        (ANOTHER, ("the patient's identifiers are those of the first",)),
        (replace(PATIENT, birth_date=date(1970, 1, 1)), ("the patient's identifiers are those of neither",)),
    ],
)
def test_a_report_of_two_studies_is_said_to_be_of_two(patient: PatientKey, whose: tuple[str, ...]) -> None:
    by_uid = study("9.9", accession_number="A2", patient=ANOTHER)
    given = replace(report("9.9", ("RXN", "A1")), patient=patient)
    for candidates in ([study(), by_uid], [by_uid, study()]):
        assert match_report(given, candidates) == Unmatched((CROSSED, *whose))


def test_what_only_another_study_of_the_same_accession_contradicts_is_no_reason() -> None:
    given = report("1.2.3", ("RXN", "A1"), nhs_number=OTHER_NHS)
    assert match_report(given, [study(), study("1.2.4")]) == Unmatched(("the NHS number differs",))
