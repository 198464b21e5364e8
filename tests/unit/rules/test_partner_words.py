"""A partner's words are passed on only when nothing in them is the patient's, however it is spelt."""

import pytest

from dicom_nodes.rules.partner_words import may_name_patient
from tests.fakes.report_samples import outgoing_report

REPORT = outgoing_report()
"""O'Brien^Siân^Łucja^Mrs^, NHS 9990000018, hospital number H123456, accession RXN000123, born 3 February 1960."""


@pytest.mark.parametrize(
    "words",
    [
        "Patient Sian O'Brien is deceased",
        "SIAN not found",
        "obrien_sian",
        "o b r i e n",
        "Lucja?",
        "NHS 999 000 0018",
        "999-000-0018 unknown",
        "no such person: 9990000018",
        "merged into 999 000 0026",
        "H-123 456",
        "number 123456 is closed",
        "accession rxn.000123",
        "order 0123 is not 00123: RXN 000 123",
        "dob 03/02/1960",
        "born 1960-02-03",
        "600203",
        "03.02.60",
        "3/2/1960",
        "3 Feb 1960",
        "03 February 1960",
    ],
)
def test_words_that_hold_something_of_the_patient_stay_here(words: str) -> None:
    assert may_name_patient(words, REPORT)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "content cannot be filed",
        "message type not accepted here",
        "OBX[2]-5: data type error; Mrs is no title here",
        "error 20260301100000 in queue 7",
        "Table value not found (103)",
    ],
)
def test_words_about_other_things_are_passed_on(words: str) -> None:
    assert not may_name_patient(words, REPORT)


def test_a_name_of_two_letters_counts() -> None:
    report = outgoing_report(patient_name="Li^Wei")
    assert may_name_patient("who is L.I.?", report)
    assert not may_name_patient("cannot be stored", report)


def test_an_anonymous_report_has_nothing_to_hide() -> None:
    nobody = outgoing_report(
        patient_name=None, nhs_number=None, patient_id=None, accession_number=None, birth_date=None
    )
    assert not may_name_patient("nobody of this name", nobody)


@pytest.mark.parametrize("short", ["7", "A7"])
def test_an_identifier_too_short_to_mean_anything_does_not_hide_every_number(short: str) -> None:
    assert not may_name_patient("error 1717", outgoing_report(patient_id=short))
