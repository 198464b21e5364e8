"""Invented reports for tests: a report on its way out, and an ORU^R01 on its way in."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from dicom_nodes.config import Ris, Trust
from dicom_nodes.model.report import OutgoingReport

NHS_NUMBER = "9990000018"
STUDY_UID = "2.25.311000000000000000000000000000000001"
TRUST = Trust(ods_code="RXN", name="Lancashire Teaching")


def ris_settings(address: str = "127.0.0.1:1", **changes: Any) -> Ris:
    """Settings of a RIS."""
    return Ris(address=address, **changes)


def outgoing_report(**changes: Any) -> OutgoingReport:
    """A final report for RXN."""
    return replace(
        OutgoingReport(
            report_id="3f0e5a52-1111-4222-8333-000000000001",
            version=1,
            status="F",
            text="CT head.\nNo intracranial haemorrhage.",
            author_registration="C9991234",
            author_name="Okafor^Ada^^Dr",
            authored_at=datetime(2026, 3, 1, 10, 0, tzinfo=UTC),
            verified_at=datetime(2026, 7, 1, 10, 5, tzinfo=UTC),
            study_instance_uid=STUDY_UID,
            accession_number="RXN000123",
            accession_issuer="RXN",
            patient_id="H123456",
            patient_id_issuer="RXN",
            nhs_number=NHS_NUMBER,
            birth_date=date(1960, 2, 3),
            patient_name="O'Brien^Siân^Łucja^Mrs^",
            patient_sex="F",
            study_time=datetime(2026, 3, 1, 9, 0, tzinfo=UTC),
            study_description="CT Head",
            exam_code=("CSKUH", "NICIP", "CT Head"),
            modality="CT",
        ),
        **changes,
    )


MSH = "MSH|^~\\&|READER|RXL|READACROSS|RXL|20260301100000||ORU^R01^ORU_R01|MSG00001|P|2.5.1||||||UNICODE UTF-8"
PID = f"PID|1||{NHS_NUMBER}^^^NHS^NH~H123456^^^RXN^MR^RXN||O'Brien^Siân||19600203|F"
ORC = "ORC|RE||RXN000123^^^RXN"
OBR = "OBR|1||REP1|CSKUH^CT Head^NICIP|||20260301090000|||||||||||||||20260301100000||CT|F|||||||C9991234&Okafor&Ada"
UID = f"OBX|1|HD|113014^DICOM Study^DCM||{STUDY_UID}||||||O"
TEXT = "OBX|2|FT|18748-4^Diagnostic imaging report^LN||No haemorrhage.||||||F"
LINES = (MSH, PID, ORC, OBR, UID, TEXT)


def oru(*lines: str, charset: str = "utf-8") -> bytes:
    """A message of these segments (all the standard ones when none are given)."""
    return "".join(line + "\r" for line in lines or LINES).encode(charset)


def oru_with(old: str, new: str) -> bytes:
    """The standard message, one piece of it changed."""
    text = "".join(line + "\r" for line in LINES)
    assert old in text
    return text.replace(old, new, 1).encode()


def field(segment: str, number: int, value: str) -> str:
    """A segment with one field (not of MSH) set."""
    fields = segment.split("|") + [""] * number
    fields[number] = value
    return "|".join(fields).rstrip("|")
