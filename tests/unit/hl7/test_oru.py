"""ORU^R01 in: what a message says, and what is refused with segment and field."""

from datetime import UTC, date, datetime

import pytest

from dicom_nodes.hl7.faults import Hl7Fault
from dicom_nodes.hl7.oru import read_oru
from dicom_nodes.model.report import AckCode
from tests.fakes.report_samples import LINES, MSH, NHS_NUMBER, OBR, ORC, PID, STUDY_UID, TEXT, field, oru, oru_with
from tests.fakes.report_samples import UID as STUDY


def test_a_report_is_read() -> None:
    report = read_oru(oru())
    assert (report.study_instance_uid, report.accession_number, report.accession_issuer) == (
        STUDY_UID,
        "RXN000123",
        "RXN",
    )
    assert (report.patient_id, report.patient_id_issuer, report.nhs_number) == ("H123456", "RXN", NHS_NUMBER)
    assert report.birth_date == date(1960, 2, 3)
    assert (report.status, report.text) == ("F", "No haemorrhage.")
    assert (report.author_registration, report.author_name) == ("C9991234", "Okafor^Ada")
    assert report.authored_at == datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
    assert (report.original_reference, report.original) == ("MSG00001", oru())


def test_text_is_all_text_values_in_order_with_repetitions_as_lines() -> None:
    lines = [
        "OBX|2|TX|X||First~second",
        "NTE|1||A note",
        "OBX|3|ST|X||",
        r"OBX|4|FT|X||T1\T\T2: 3 < 5 mm^&\.br\end||||||F",
        "OBX|5|ED|PDF||^application^pdf^Base64^JVBERi0=",
    ]
    assert read_oru(oru(MSH, PID, ORC, OBR, *lines)).text == "First\nsecond\nA note\n\nT1&T2: 3 < 5 mm^&\nend"


@pytest.mark.parametrize(
    ("orc_3", "obr_3", "accession"),
    [
        ("A1^^^RXN", "R1", ("A1", "RXN")),
        ("A1^RXR", "R1", ("A1", "RXR")),
        ("A1^RXR^1.2.3^ISO", "R1", ("A1", "RXR")),
        ("A1^^1.2.3^ISO", "R1", ("A1", "1.2.3")),
        ("A1", "R1", ("A1", None)),
        ("", "A2^^^RXN", ("A2", "RXN")),
        ("", "", (None, None)),
    ],
)
def test_accession_and_its_issuer(orc_3: str, obr_3: str, accession: tuple[str, str]) -> None:
    report = read_oru(oru(MSH, PID, f"ORC|RE||{orc_3}", field(OBR, 3, obr_3), TEXT))
    assert (report.accession_number, report.accession_issuer) == accession


@pytest.mark.parametrize(
    ("pid_3", "identity"),
    [
        ("999 000 0018^^^NHS^NH", (None, None, NHS_NUMBER)),
        ("H1^^^RXL^MR~H2^^^RXN^MR", ("H2", "RXN", None)),
        ("H1^^^RXL^MR^RXR", ("H1", "RXR", None)),
        ("H1^^^^MR", ("H1", None, None)),
        ("H1^^^^MR~H2^^^RXL^MR", ("H2", "RXL", None)),
        ("X1^^^DVLA^DL~H1^^^RXN^PI", ("H1", "RXN", None)),
    ],
)
def test_patient_identifiers_with_their_issuers(pid_3: str, identity: tuple[str, str, str]) -> None:
    report = read_oru(oru(MSH, field(PID, 3, pid_3), ORC, OBR, STUDY, TEXT))
    assert (report.patient_id, report.patient_id_issuer, report.nhs_number) == identity


@pytest.mark.parametrize(
    ("obr_22", "moment"),
    [
        ("20260701100000", datetime(2026, 7, 1, 9, 0, tzinfo=UTC)),
        ("20260701100000+0000", datetime(2026, 7, 1, 10, 0, tzinfo=UTC)),
        ("20260701100000+1100", datetime(2026, 6, 30, 23, 0, tzinfo=UTC)),
        ("202607011000", datetime(2026, 7, 1, 9, 0, tzinfo=UTC)),
        ("20261025013000", None),
        ("20261025013000+0100", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("20260701", None),
        ("", None),
    ],
)
def test_time_of_the_report(obr_22: str, moment: datetime | None) -> None:
    assert read_oru(oru(MSH, PID, ORC, field(OBR, 22, obr_22), TEXT)).authored_at == moment


@pytest.mark.parametrize("obr_22", ["2026-07-01T10:00:00+11:00", "20260701100000+11:00"])
def test_an_iso_offset_is_refused_saying_how_to_write_it(obr_22: str) -> None:
    with pytest.raises(Hl7Fault, match=r"OBR-22: .*\+1100, not \+11:00"):
        read_oru(oru(MSH, PID, ORC, field(OBR, 22, obr_22), TEXT))


@pytest.mark.parametrize(
    ("obr_25", "obx_11", "status"),
    [("P", "P", "P"), ("F", "", "F"), ("C", "F", "C"), ("", "P", "P"), ("X", "", "X"), ("F", "C", "F")],
)
def test_status(obr_25: str, obx_11: str, status: str) -> None:
    assert read_oru(oru(MSH, PID, ORC, field(OBR, 25, obr_25), field(TEXT, 11, obx_11))).status == status


@pytest.mark.parametrize(
    ("obr_32", "author"),
    [
        ("C9991234&Okafor&Ada&B&Jr&Dr", ("C9991234", "Okafor^Ada^B^Dr^Jr")),
        ("C9991234^Okafor^Ada", ("C9991234", "Okafor^Ada")),
        ("C9991234^20260301", ("C9991234", None)),
        ("C9991234", ("C9991234", None)),
        ("&Okafor", (None, "Okafor")),
        ("", (None, None)),
    ],
)
def test_author(obr_32: str, author: tuple[str | None, str | None]) -> None:
    report = read_oru(oru(MSH, PID, ORC, field(OBR, 32, obr_32), TEXT))
    assert (report.author_registration, report.author_name) == author


@pytest.mark.parametrize(
    ("message", "place", "ack"),
    [
        (oru_with("ORU^R01^ORU_R01", "ADT^A08"), "MSH-9", AckCode.AR),
        (oru_with("ORU^R01^ORU_R01", "ORU^R30"), "MSH-9", AckCode.AR),
        (oru_with("|P|2.5.1", "|T|2.5.1"), "MSH-11", AckCode.AR),
        (oru_with("|P|2.5.1", "|P|3.0"), "MSH-12", AckCode.AR),
        (oru_with("MSG00001", ""), "MSH-10", AckCode.AE),
        (oru_with("UNICODE UTF-8", "KLINGON"), "MSH-18", AckCode.AE),
        (oru(MSH, ORC, OBR, TEXT), "PID", AckCode.AE),
        (oru(MSH, PID, ORC, OBR, TEXT, PID), "PID[2]", AckCode.AE),
        (oru(MSH, PID, TEXT), "OBR", AckCode.AE),
        (oru(MSH, PID, ORC, OBR, STUDY), "OBR", AckCode.AE),
        (oru(MSH, PID, ORC, OBR, STUDY, field(TEXT, 5, "")), "OBX[2]-5", AckCode.AE),
        (oru(MSH, PID, ORC, OBR, field(TEXT, 5, "  ")), "OBX-5", AckCode.AE),
        (oru(MSH, field(PID, 3, ""), "ORC|RE", field(OBR, 3, ""), TEXT), "PID-3", AckCode.AE),
        (oru_with(NHS_NUMBER, "9990000019"), "PID-3", AckCode.AE),
        (oru_with("19600203", "19601332"), "PID-7", AckCode.AE),
        (oru_with("||CT|F|", "||CT||").replace(b"||||||F\r", b"\r"), "OBR-25", AckCode.AE),
        (oru_with("||CT|F|", "||CT|R|"), "OBR-25", AckCode.AE),
        (oru(MSH, PID, ORC, OBR, field(TEXT, 11, "P")), "OBX-11", AckCode.AE),
        (oru(MSH, PID, ORC, OBR, TEXT, "OBX|3|NM|X||42||||||F"), "OBX[2]-2", AckCode.AE),
        (oru(MSH, PID, ORC, OBR, TEXT, "ORC|RE||RXN000999^^^RXN", OBR, TEXT), "OBR", AckCode.AE),
        (oru(MSH, PID, ORC, OBR, field(TEXT, 11, "D")), "OBX-11", AckCode.AE),
        (oru(MSH, PID, ORC, OBR, field(TEXT, 11, "W")), "OBX-11", AckCode.AE),
        (oru(MSH, PID, TEXT, ORC, OBR, TEXT), "OBX", AckCode.AE),
        (oru(MSH, PID, ORC, OBR, TEXT, "DSC|1"), "DSC-1", AckCode.AE),
        (oru(MSH, PID, ORC, OBR, "OBX|1|ED|X||^image^jpeg^Base64^AAAA"), "OBX-5", AckCode.AE),
        (oru(MSH, PID, ORC, OBR, "OBX|1|ED|X||^application^pdf^Base64^!!"), "OBX-5", AckCode.AE),
        (oru(MSH, PID, ORC, OBR, "OBX|1|ED|X||^application^pdf^Base64^JVBERi0="), "OBX-5", AckCode.AE),
        (oru_with(STUDY_UID, "not-a-uid"), "OBX-5", AckCode.AE),
        (oru(MSH, PID, ORC, OBR, TEXT, "END"), "END", AckCode.AE),
        (oru(MSH, PID, ORC, OBR, TEXT, "ZOE was seen"), "OBX", AckCode.AE),
        (oru(MSH, PID, ORC, OBR, TEXT, "ZOE"), "ZOE", AckCode.AE),
        (oru(MSH, PID, ORC, field(OBR, 22, "20260329013000"), TEXT), "OBR-22", AckCode.AE),
    ],
)
def test_refusals_name_segment_and_field(message: bytes, place: str, ack: AckCode) -> None:
    with pytest.raises(Hl7Fault) as caught:
        read_oru(message)
    assert (str(caught.value.place), caught.value.ack) == (place, ack)


def test_a_refusal_quotes_nothing_of_the_message() -> None:
    secrets = ("9990000019", "H123456", "O'Brien", "Siân", "haemorrhage", "RXN000123")
    for line in range(1, len(LINES)):
        broken = list(LINES)
        broken[line] = broken[line].replace(NHS_NUMBER, "9990000019").replace("|F", "|Q") + "\rhaemorrhage H123456"
        with pytest.raises(Hl7Fault) as caught:
            read_oru(oru(*broken))
        assert not [secret for secret in secrets if secret in str(caught.value)]
