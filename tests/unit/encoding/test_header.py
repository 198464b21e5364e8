"""What the node reads out of a header: identity qualified, text decoded without guesses, moments in UTC."""

from datetime import UTC, datetime

import pytest
from pydicom.dataset import Dataset

from dicom_nodes.encoding.header import read_header
from dicom_nodes.encoding.walk import DamagedDataSetError
from tests.unit.encoding.test_walk import BIG, EXPLICIT, IMPLICIT, encoded


def minimal(**values: object) -> Dataset:
    data_set = Dataset()
    data_set.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    data_set.SOPInstanceUID = "1.2.3.4"
    data_set.StudyInstanceUID = "1.2.3"
    data_set.SeriesInstanceUID = "1.2.3.1"
    for keyword, value in values.items():
        setattr(data_set, keyword, value)
    return data_set


def other_id(issuer: str, number: str) -> Dataset:
    item = Dataset()
    item.PatientID = number
    item.IssuerOfPatientID = issuer
    return item


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_header_reads_the_same_in_every_layout(syntax: str) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "CSKUH", "NICIP", "CT Head"
    issuer = Dataset()
    issuer.LocalNamespaceEntityID = "RXN"
    data_set = minimal(
        SpecificCharacterSet="ISO_IR 192",
        PatientName="Łukasz^Siân",
        PatientID="H1",
        IssuerOfPatientID="RXN",
        AccessionNumber="A1",
        IssuerOfAccessionNumberSequence=[issuer],
        ProcedureCodeSequence=[code],
        OtherPatientIDsSequence=[other_id("RXN", "9990000026"), other_id("NHS", "999 000 0018")],
        PatientBirthDate="19610304",
        Rows=512,
    )
    header = read_header(encoded(data_set, syntax), syntax)
    assert header.attributes["PatientName"] == "Łukasz^Siân"
    assert header.attributes["Rows"] == "512"
    assert (header.patient_id_issuer, header.patient_id) == ("RXN", "H1")
    assert (header.accession_issuer, header.accession_number) == ("RXN", "A1")
    assert header.exam_code == ("CSKUH", "NICIP", "CT Head")
    assert header.nhs_number == "9990000018"
    assert str(header.birth_date) == "1961-03-04"


@pytest.mark.parametrize(
    ("issuer", "number"), [("RXN", "9990000018"), ("NHS", "9990000019"), ("NHS", "999000001"), ("", "9990000018")]
)
def test_a_number_is_an_nhs_number_only_under_its_issuer_and_with_its_check_digit(issuer: str, number: str) -> None:
    header = read_header(encoded(minimal(PatientID=number, IssuerOfPatientID=issuer), EXPLICIT), EXPLICIT)
    assert header.nhs_number is None


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        ("", datetime(2026, 7, 1, 8, 30, tzinfo=UTC)),
        ("+0000", datetime(2026, 7, 1, 9, 30, tzinfo=UTC)),
        ("-0500", datetime(2026, 7, 1, 14, 30, tzinfo=UTC)),
    ],
)
def test_study_time_is_utc_and_local_time_is_that_of_the_uk(offset: str, expected: datetime) -> None:
    data_set = minimal(StudyDate="20260701", StudyTime="093000.123", TimezoneOffsetFromUTC=offset)
    assert read_header(encoded(data_set, EXPLICIT), EXPLICIT).study_time == expected


@pytest.mark.parametrize("text", ["2026", "20261332", "garbage", ""])
def test_an_odd_date_leaves_the_image_readable(text: str) -> None:
    raw = encoded(minimal(PatientComments="x"), EXPLICIT)
    odd = encoded(minimal(StudyDate="20260101"), EXPLICIT).replace(b"20260101", text.ljust(8).encode())
    assert read_header(raw, EXPLICIT).study_time is None
    assert read_header(odd, EXPLICIT).study_time is None


def test_bytes_outside_the_declared_character_set_stay_visible() -> None:
    data_set = minimal(PatientName="Sian")
    raw = encoded(data_set, EXPLICIT).replace(b"Sian", "Siân".encode("latin-1"))
    assert read_header(raw, EXPLICIT).attributes["PatientName"] == "Si<E2>n"


def test_a_nul_inside_a_value_stays_visible_and_is_no_delimiter() -> None:
    raw = encoded(minimal(PatientID="12\0005"), EXPLICIT)
    assert read_header(raw, EXPLICIT).patient_id == "12<00>5"


def test_latin_1_and_code_extensions_are_decoded() -> None:
    latin = minimal(SpecificCharacterSet="ISO_IR 100", PatientName="Siân^O'Brien")
    japanese = minimal(SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName="Yamada^Tarou=山田^太郎")
    assert read_header(encoded(latin, EXPLICIT), EXPLICIT).attributes["PatientName"] == "Siân^O'Brien"
    assert read_header(encoded(japanese, EXPLICIT), EXPLICIT).attributes["PatientName"] == "Yamada^Tarou=山田^太郎"


def test_an_image_without_its_pixels_is_damaged() -> None:
    with pytest.raises(DamagedDataSetError, match="pixel"):
        read_header(encoded(minimal(Rows=2, Columns=2, BitsAllocated=16), EXPLICIT), EXPLICIT)


def test_absent_identifiers_are_empty_or_none_and_never_guessed() -> None:
    header = read_header(encoded(Dataset(), EXPLICIT), EXPLICIT)
    assert header.study_instance_uid == ""
    assert header.patient_id is None
    assert header.patient_id_issuer is None
