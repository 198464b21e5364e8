"""A report as Encapsulated PDF (DICOM PS3.3 A.45.1): set pages in a new series of the study they report."""

import hashlib

from dicom_nodes.documents.page_setting import set_pages
from dicom_nodes.documents.report_attributes import (
    Value,
    code_item,
    date_and_time,
    encoded,
    item_of,
    patient_attributes,
    study_attributes,
    uid_of,
)
from dicom_nodes.encoding.walk import EXPLICIT_VR_LITTLE_ENDIAN
from dicom_nodes.model.delivery import OutgoingInstance
from dicom_nodes.model.errors import PeerRefused
from dicom_nodes.model.loss import Loss
from dicom_nodes.model.report import OutgoingReport
from dicom_nodes.model.report_text import control_character
from dicom_nodes.rules.report_losses import why_not_sent

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"


class ReportPages:
    """Implements `ReportWriter` with set pages."""

    def __init__(self, organisation: str) -> None:
        """`organisation` stands at the head of each page: the trust."""
        self._organisation = organisation

    def write(self, report: OutgoingReport) -> tuple[OutgoingInstance, tuple[Loss, ...]]:
        """The document and what its pages could not carry.

        Raises:
            PeerRefused: it would not show the report as it is; the loss report.
        """
        if report.status not in {"P", "F", "C"}:
            raise PeerRefused("pdf: a report that is not preliminary, final or corrected has no page")
        if control := control_character(report.text):
            raise PeerRefused(f"pdf: the text holds the control character {control}; nothing was sent")
        pages = set_pages(report, self._organisation)
        if (why := why_not_sent("pdf", pages.losses)) is not None:
            raise PeerRefused(why)
        uid = uid_of(report, f"pdf/{hashlib.sha256(pages.pdf).hexdigest()}")
        data_set = _data_set(report, pages.pdf, uid)
        instance = OutgoingInstance(
            sop_instance_uid=uid,
            sop_class_uid=ENCAPSULATED_PDF,
            transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN,
            read_data_set=lambda: data_set,
            size_bytes=len(data_set),
        )
        return instance, pages.losses


def _data_set(report: OutgoingReport, pdf: bytes, sop_instance_uid: str) -> bytes:
    return encoded(
        item_of(
            SpecificCharacterSet="ISO_IR 192",
            SOPClassUID=ENCAPSULATED_PDF,
            SOPInstanceUID=sop_instance_uid,
            **patient_attributes(report),
            **study_attributes(report),
            **_series_and_equipment(report),
            **_document(report, pdf),
        )
    )


def _series_and_equipment(report: OutgoingReport) -> dict[str, Value]:
    date, time = date_and_time(report.authored_at)
    return {
        "Modality": "DOC",
        "SeriesInstanceUID": uid_of(report, "pdf series"),
        "SeriesNumber": "9001",
        "SeriesDate": date,
        "SeriesTime": time,
        "SeriesDescription": "Report (PDF)",
        "Manufacturer": "Readacross",
        "ConversionType": "WSD",
    }


def _document(report: OutgoingReport, pdf: bytes) -> dict[str, Value]:
    date, time = date_and_time(report.authored_at)
    return {
        "InstanceNumber": str(report.version),
        "ContentDate": date,
        "ContentTime": time,
        "AcquisitionDateTime": "",
        "BurnedInAnnotation": "YES",
        "DocumentTitle": f"Radiology report ({_kind(report)})",
        "ConceptNameCodeSequence": [code_item("18748-4", "LN", "Diagnostic imaging report")],
        "VerificationFlag": "UNVERIFIED" if report.status == "P" else "VERIFIED",
        "MIMETypeOfEncapsulatedDocument": "application/pdf",
        "EncapsulatedDocumentLength": len(pdf),
        "EncapsulatedDocument": pdf + b"\0" * (len(pdf) % 2),
    }


def _kind(report: OutgoingReport) -> str:
    return "addendum" if report.addendum else {"P": "preliminary", "F": "final", "C": "corrected"}[report.status]
