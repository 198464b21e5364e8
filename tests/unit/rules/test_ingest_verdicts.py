"""What is taken, known or kept aside."""

from dataclasses import replace
from datetime import date

import pytest

from dicom_nodes.model.errors import CannotUnderstand, DataSetMismatch
from dicom_nodes.model.instance import InstanceHeader, StoredObject
from dicom_nodes.model.study import StudyOwner
from dicom_nodes.rules.ingest import KeepAside, Known, Take, is_uid, judge_header, judge_identity

CT = "1.2.840.10008.5.1.4.1.1.2"
HEADER = InstanceHeader(
    CT, "1.2.3.4", "1.2.3", "1.2.3.1", "1.2.840.10008.1.2.1", patient_id="H1", patient_id_issuer="RXN"
)
STORED = StoredObject("1.2.3.4", CT, "1.2.3", "1.2.3.1", "1.2.840.10008.1.2.1", "d1", 10, "RXN", "x")
STUDY = StudyOwner("RXN", "RXN", "H1", None, None, None)


def test_a_data_set_that_agrees_with_its_request_has_no_verdict() -> None:
    assert judge_header(HEADER, CT, "1.2.3.4") is None


@pytest.mark.parametrize(
    ("header", "kind", "words"),
    [
        (replace(HEADER, sop_class_uid="1.2.9"), DataSetMismatch, "another SOP Class UID"),
        (replace(HEADER, sop_instance_uid="1.2.9"), DataSetMismatch, "another SOP Instance UID"),
        (replace(HEADER, study_instance_uid=""), CannotUnderstand, "no Study Instance UID"),
        (replace(HEADER, series_instance_uid=""), CannotUnderstand, "no Series Instance UID"),
        (replace(HEADER, study_instance_uid="../etc"), CannotUnderstand, "malformed Study Instance UID"),
        (replace(HEADER, series_instance_uid="1." + "2" * 63), CannotUnderstand, "malformed Series Instance UID"),
    ],
)
def test_a_data_set_that_contradicts_its_request_is_kept_aside(
    header: InstanceHeader, kind: type[Exception], words: str
) -> None:
    verdict = judge_header(header, CT, "1.2.3.4")
    assert verdict is not None
    assert isinstance(verdict.refusal, kind)
    assert words in str(verdict.refusal)
    assert len(str(verdict.refusal)) <= 64


def test_new_and_known_instances() -> None:
    assert judge_identity(HEADER, "d1", "RXN", None, None) == Take()
    assert judge_identity(HEADER, "d1", "RXN", None, STUDY) == Take()
    assert judge_identity(HEADER, "d1", "RXN", STORED, STUDY) == Known()


BORN = date(1960, 2, 3)
NAMED = {"PatientName": "Alpha^Ann"}
ANONYMOUS = StudyOwner("RXN", None, None, None, None, "alpha^ann")


@pytest.mark.parametrize(
    ("header", "existing", "study", "origin", "words"),
    [
        (HEADER, STORED, STUDY, "RXN", "other content"),
        (HEADER, STORED, None, "RXL", "another trust"),
        (HEADER, None, STUDY, "RXL", "another trust"),
        (HEADER, None, replace(STUDY, patient_id="H2"), "RXN", "another patient"),
        (HEADER, None, replace(STUDY, patient_id_issuer="RXL"), "RXN", "another patient"),
        (replace(HEADER, birth_date=BORN), None, replace(STUDY, birth_date=date(1990, 1, 1)), "RXN", "another patient"),
        (replace(HEADER, nhs_number="9990000018"), None, replace(STUDY, nhs_number="9990000026"), "RXN", "another"),
        (replace(HEADER, patient_id=None, attributes={"PatientName": "Bravo^Bob"}), None, ANONYMOUS, "RXN", "another"),
    ],
)
def test_what_contradicts_is_kept_aside(
    header: InstanceHeader, existing: StoredObject | None, study: StudyOwner | None, origin: str, words: str
) -> None:
    verdict = judge_identity(header, "d2", origin, existing, study)
    assert isinstance(verdict, KeepAside)
    assert words in str(verdict.refusal)
    assert len(str(verdict.refusal)) <= 64


@pytest.mark.parametrize(
    ("header", "study"),
    [
        (replace(HEADER, birth_date=BORN), STUDY),
        (replace(HEADER, patient_id=None, patient_id_issuer=None), STUDY),
        (HEADER, ANONYMOUS),
        (replace(HEADER, patient_id=None, attributes=NAMED), ANONYMOUS),
        (replace(HEADER, attributes={"PatientName": "Alpha-Smith^Ann"}), replace(STUDY, patient_name="alpha^ann")),
    ],
)
def test_what_one_side_does_not_say_is_no_contradiction(header: InstanceHeader, study: StudyOwner) -> None:
    assert judge_identity(header, "d2", "RXN", None, study) == Take()


@pytest.mark.parametrize("keyword", ["patient_id", "accession_number", "accession_issuer"])
def test_an_identifier_is_refused_rather_than_cut(keyword: str) -> None:
    verdict = judge_header(replace(HEADER, **{keyword: "9" * 257}), CT, "1.2.3.4")
    assert verdict is not None
    assert "longer than 256" in str(verdict.refusal)


@pytest.mark.parametrize("text", ["1.2.3", "2.25.123456789", "1.2.840.010", "0.1"])
def test_uids_of_the_standard_and_of_careless_makers_are_uids(text: str) -> None:
    assert is_uid(text)


@pytest.mark.parametrize("text", ["", "1", "1..2", ".1", "1.", "1.2/3", "1.a", "..", "1.2 ", "9" * 65])
def test_what_is_no_uid_is_refused(text: str) -> None:
    assert not is_uid(text)
