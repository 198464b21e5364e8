"""Identifiers between bytes and text, against pydicom as second implementation."""

from io import BytesIO

import pytest
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from dicom_nodes.dimse.identifier import decode_query, encode_identifier
from dicom_nodes.encoding.header import read_header
from dicom_nodes.model.errors import CannotUnderstand, IdentifierMismatch
from dicom_nodes.model.query import QueryLevel, QueryRoot

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
SYNTAXES = [IMPLICIT, EXPLICIT, BIG]


def encoded(data_set: Dataset, syntax: str) -> bytes:
    stream = DicomBytesIO()
    stream.is_implicit_VR, stream.is_little_endian = syntax == IMPLICIT, syntax != BIG
    write_dataset(stream, data_set)
    return stream.getvalue()


def decoded(identifier: bytes, syntax: str) -> Dataset:
    return read_dataset(BytesIO(identifier), syntax == IMPLICIT, syntax != BIG)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_keys_written_by_pydicom_are_read(syntax: str) -> None:
    asked = Dataset()
    asked.SpecificCharacterSet = "ISO_IR 100"
    asked.QueryRetrieveLevel = "IMAGE"
    asked.PatientName = "Siân*"
    asked.StudyInstanceUID = ["1.2", "1.2.3"]
    asked.Rows = 512
    asked.StudyDate = ""
    asked.ProcedureCodeSequence = []

    query = decode_query(encoded(asked, syntax), syntax, QueryRoot.STUDY)

    assert query.level is QueryLevel.IMAGE
    assert query.keys == {"PatientName": "Siân*", "StudyInstanceUID": "1.2\\1.2.3", "Rows": "512", "StudyDate": ""}
    assert query.other_keys == 1


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_answer_is_read_back_by_pydicom(syntax: str) -> None:
    values = {"PatientName": "Łukasz^Siân", "StudyInstanceUID": "1.2.3", "Rows": "512", "InstanceNumber": ""}

    answer = decoded(encode_identifier(QueryLevel.IMAGE, values, syntax), syntax)

    assert answer.SpecificCharacterSet == "ISO_IR 192"
    answer.decode()
    assert str(answer.PatientName) == "Łukasz^Siân"
    assert answer.QueryRetrieveLevel == "IMAGE"
    assert answer.StudyInstanceUID == "1.2.3"
    assert answer.Rows == 512
    assert answer["InstanceNumber"].is_empty


def test_answer_in_plain_ascii_declares_no_character_set() -> None:
    answer = decoded(encode_identifier(QueryLevel.STUDY, {"PatientName": "Ashdown^Ivy"}, EXPLICIT), EXPLICIT)

    assert "SpecificCharacterSet" not in answer


def test_bytes_that_are_no_data_set_are_not_understood() -> None:
    with pytest.raises(CannotUnderstand):
        decode_query(b"not a data set at all", EXPLICIT, QueryRoot.STUDY)


@pytest.mark.parametrize("level", ["", "PICTURE"])
def test_missing_or_unknown_level_is_a_mismatch(level: str) -> None:
    asked = Dataset()
    asked.QueryRetrieveLevel = level

    with pytest.raises(IdentifierMismatch):
        decode_query(encoded(asked, EXPLICIT), EXPLICIT, QueryRoot.STUDY)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_keys_inside_a_sequence_are_read(syntax: str) -> None:
    asked, issuer, empty = Dataset(), Dataset(), Dataset()
    issuer.LocalNamespaceEntityID = "RXN"
    issuer.AssigningFacilitySequence = []
    asked.QueryRetrieveLevel = "STUDY"
    asked.IssuerOfAccessionNumberSequence = [issuer]
    asked.OtherPatientIDsSequence = [empty]
    asked.IssuerOfPatientIDQualifiersSequence = []

    query = decode_query(encoded(asked, syntax), syntax, QueryRoot.STUDY)

    assert query.keys == {
        "IssuerOfAccessionNumberSequence.LocalNamespaceEntityID": "RXN",
        "OtherPatientIDsSequence": "",
        "IssuerOfPatientIDQualifiersSequence": "",
    }
    assert query.other_keys == 1


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_sequences_of_an_answer_are_read_back_by_pydicom(syntax: str) -> None:
    values = {
        "IssuerOfAccessionNumberSequence.UniversalEntityID": "",
        "IssuerOfAccessionNumberSequence.LocalNamespaceEntityID": "RXN",
        "OtherPatientIDsSequence.PatientID": "",
        "StudyInstanceUID": "1.2.3",
    }

    answer = decoded(encode_identifier(QueryLevel.STUDY, values, syntax), syntax)

    (item,) = answer.IssuerOfAccessionNumberSequence
    assert (item.LocalNamespaceEntityID, item["UniversalEntityID"].is_empty) == ("RXN", True)
    assert len(answer.OtherPatientIDsSequence) == 0
    assert answer.StudyInstanceUID == "1.2.3"


def test_nul_inside_a_key_reaches_no_database() -> None:
    asked = Dataset()
    asked.QueryRetrieveLevel = "STUDY"
    asked.AccessionNumber = "12\0003\0"

    assert decode_query(encoded(asked, EXPLICIT), EXPLICIT, QueryRoot.STUDY).keys == {"AccessionNumber": "12<00>3"}


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientID", "12é45".encode("latin-1")),
        ("PatientID", b"12\x003"),
        ("StudyInstanceUID", b"1.2\\1.\xe9"),
        ("SOPInstanceUID", b"1.\x002"),
    ],
)
def test_an_id_that_cannot_be_read_is_refused_and_not_guessed(keyword: str, value: bytes) -> None:
    with pytest.raises(IdentifierMismatch, match=keyword):
        decode_query(_with_bytes(keyword, value), EXPLICIT, QueryRoot.STUDY)


@pytest.mark.parametrize("value", [b"1.2\0", b"1.2\0\\1.3\0", b"1.2 \\ 1.3"])
def test_padding_of_uids_is_no_reason_to_refuse(value: bytes) -> None:
    query = decode_query(_with_bytes("StudyInstanceUID", value), EXPLICIT, QueryRoot.STUDY)

    assert query.keys["StudyInstanceUID"].split("\\") == ["1.2", "1.3"][: 1 + value.count(b"\\")]


def test_a_declared_patient_id_is_read_as_declared() -> None:
    query = decode_query(_with_bytes("PatientID", "12é45".encode(), "ISO_IR 192"), EXPLICIT, QueryRoot.STUDY)

    assert query.keys == {"PatientID": "12é45"}


@pytest.mark.parametrize("charset", ["", "ISO_IR 192", "ISO_IR 13", "GB18030", "\\ISO 2022 IR 87"])
def test_the_same_bytes_are_the_same_text_in_an_image_and_in_a_query(charset: str) -> None:
    raw = "Müller^Anna".encode("latin-1")
    data_set = _with_bytes("PatientName", raw, charset)

    key = decode_query(data_set, EXPLICIT, QueryRoot.STUDY).keys["PatientName"]

    assert key == read_header(data_set, EXPLICIT).attributes["PatientName"]
    assert "\\" not in key
    assert "\ufffd" not in key


def _with_bytes(keyword: str, value: bytes, charset: str = "") -> bytes:
    """A query in which the value of a key of even length stands as these bytes."""
    value += (b"\0" if keyword.endswith("UID") else b" ") * (len(value) % 2)
    asked = Dataset()
    asked.SpecificCharacterSet = charset.split("\\")
    asked.QueryRetrieveLevel = "STUDY"
    setattr(asked, keyword, "9" * len(value))
    return encoded(asked, EXPLICIT).replace(b"9" * len(value), value)


@pytest.mark.parametrize(
    ("syntax", "meta"),
    [
        (IMPLICIT, b"\x02\x00\x03\x00\x04\x00\x00\x001.2\0"),
        (EXPLICIT, b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01\x02\x00\x03\x00UI\x04\x001.2\0"),
        (BIG, b"\x00\x02\x00\x03UI\x00\x041.2\0"),
    ],
)
def test_file_meta_before_an_identifier_is_passed_over(syntax: str, meta: bytes) -> None:
    """Orthanc's C-MOVE of an image."""
    identifier = meta + encode_identifier(QueryLevel.IMAGE, {"SOPInstanceUID": "1.2.3"}, syntax)

    query = decode_query(identifier, syntax, QueryRoot.STUDY)

    assert query.keys == {"SOPInstanceUID": "1.2.3"}


@pytest.mark.parametrize(
    "meta", [b"\x02\x00", b"\x02\x00\x03\x00", b"\x02\x00\x03\x00\xff\xff\xff\xff", b"\x02\x00\x03\x00\x09\x00\x00\x00"]
)
def test_file_meta_that_is_cut_short_is_no_identifier(meta: bytes) -> None:
    with pytest.raises(CannotUnderstand):
        decode_query(meta, IMPLICIT, QueryRoot.STUDY)
