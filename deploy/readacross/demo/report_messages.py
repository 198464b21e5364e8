"""What a reader's systems send: a report as ORU^R01 by MLLP, and as Basic Text SR.

Written here without the node's own writers, as a second implementation of both.
"""

import socket
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from zoneinfo import ZoneInfo

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from readacross.demo.images import MadeStudy
from readacross.demo.ris import END, START

BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
_LONDON = ZoneInfo("Europe/London")
_ESCAPES = str.maketrans({"|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\\": "\\E\\", "\n": "\\.br\\"})
_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class Signed:
    """A final report by a reader. `origin` issued the study's patient id and accession number; times are aware."""

    study: MadeStudy
    origin: str
    text: str
    registration: str
    reader_name: str
    authored_at: datetime


class NotAcknowledged(Exception):
    """The node did not take the report; says what it answered."""


def as_oru(report: Signed, control_id: str) -> bytes:
    """ORU^R01 in UTF-8, HL7 v2.5.1; the hospital number and the accession number carry their issuer."""
    study, patient = report.study, report.study.patient
    at = report.authored_at.astimezone(_LONDON).strftime("%Y%m%d%H%M%S%z")
    name = "^".join(part.translate(_ESCAPES) for part in patient.name.split("^"))
    ids = f"{patient.nhs_number}^^^NHS^NH~{patient.patient_id}^^^{report.origin}^MR^{report.origin}"
    author = f"{report.registration}&{report.reader_name.translate(_ESCAPES)}"
    accession = f"{study.accession_number}^^^{report.origin}"
    segments = [
        f"MSH|^~\\&|WORKSTATION|HOME|READACROSS||{at}||ORU^R01^ORU_R01|{control_id}|P|2.5.1||||||UNICODE UTF-8",
        f"PID|1||{ids}||{name}||{patient.birth_date:%Y%m%d}|{patient.sex}",
        f"ORC|RE||{accession}",
        f"OBR|1||{accession}|18748-4^Diagnostic imaging report^LN" + "|" * 18 + f"{at}|||F" + "|" * 7 + author,
        f"OBX|1|HD|113014^DICOM Study^DCM||{study.study_instance_uid}||||||F",
        f"OBX|2|FT|18748-4^Diagnostic imaging report^LN||{report.text.translate(_ESCAPES)}||||||F",
    ]
    return "".join(segment + "\r" for segment in segments).encode()


def send_oru(message: bytes, host: str, port: int) -> None:
    """Send by MLLP and wait for the application acknowledgement.

    Raises:
        NotAcknowledged: anything but AA.
    """
    with socket.create_connection((host, port), timeout=_TIMEOUT_S) as connection:
        connection.sendall(START + message + END)
        answer = b""
        while END not in answer:
            chunk = connection.recv(4096)
            if not chunk:
                raise NotAcknowledged("the node hung up without an acknowledgement")
            answer += chunk
    code = next((segment[4:6] for segment in answer.split(b"\r") if segment.startswith(b"MSA|")), b"no")
    if code != b"AA":
        raise NotAcknowledged(f"the node answered {code.decode('ascii', 'replace')} to ORU^R01")


def as_structured_report(report: Signed) -> bytes:
    """A complete, verified Basic Text SR with one text, as a Part 10 file in UTF-8."""
    study, patient = report.study, report.study.patient
    at = report.authored_at.astimezone(_LONDON)
    document = Dataset()
    document.SpecificCharacterSet = "ISO_IR 192"
    document.SOPClassUID, document.SOPInstanceUID = BASIC_TEXT_SR, generate_uid()
    document.StudyInstanceUID, document.SeriesInstanceUID = study.study_instance_uid, generate_uid()
    document.Modality, document.SeriesNumber, document.InstanceNumber = "SR", 900, 1
    document.ReferencedPerformedProcedureStepSequence = []
    document.PatientName, document.PatientSex = patient.name, patient.sex
    document.PatientID, document.IssuerOfPatientID = patient.patient_id, report.origin
    document.PatientBirthDate = f"{patient.birth_date:%Y%m%d}"
    document.StudyID = document.StudyDate = document.StudyTime = document.ReferringPhysicianName = ""
    document.AccessionNumber = study.accession_number
    document.IssuerOfAccessionNumberSequence = [_item(LocalNamespaceEntityID=report.origin)]
    document.Manufacturer = "Readacross demonstration workstation"
    document.ContentDate, document.ContentTime = at.strftime("%Y%m%d"), at.strftime("%H%M%S")
    document.TimezoneOffsetFromUTC = at.strftime("%z")
    document.CompletionFlag, document.VerificationFlag, document.PreliminaryFlag = "COMPLETE", "VERIFIED", "FINAL"
    document.PerformedProcedureCodeSequence = []
    document.VerifyingObserverSequence = [
        _item(
            VerifyingOrganization="Home",
            VerificationDateTime=at.strftime("%Y%m%d%H%M%S%z"),
            VerifyingObserverName=report.reader_name.replace(" ", "^", 1),
            VerifyingObserverIdentificationCodeSequence=[_code(report.registration, "99GMC", "GMC number")],
        )
    ]
    document.ValueType, document.ContinuityOfContent = "CONTAINER", "SEPARATE"
    document.ConceptNameCodeSequence = [_code("18748-4", "LN", "Diagnostic imaging report")]
    text = _item(
        RelationshipType="CONTAINS",
        ValueType="TEXT",
        ConceptNameCodeSequence=[_code("121071", "DCM", "Finding")],
        TextValue=report.text,
    )
    document.ContentSequence = [text]
    return _part10(document)


def _part10(document: Dataset) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = document.SOPClassUID
    meta.MediaStorageSOPInstanceUID = document.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    document.file_meta = meta
    buffer = BytesIO()
    document.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    return _item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _item(**values: object) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item
