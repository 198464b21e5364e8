"""Reports as DICOM structured reports: the port `ReportDocuments`, writing and reading joined.

What is written is read back and compared before it may leave (HAZARDS 14).
"""

from dicom_nodes.documents.reading import read_document
from dicom_nodes.documents.refused_claims import claims_of_document
from dicom_nodes.documents.writing import sop_instance_uid, write_document
from dicom_nodes.encoding.walk import EXPLICIT_VR_LITTLE_ENDIAN
from dicom_nodes.model.delivery import OutgoingInstance
from dicom_nodes.model.errors import CannotUnderstand, PeerRefused
from dicom_nodes.model.report import IncomingReport, OutgoingReport, RefusedClaims

BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"


class StructuredReports:
    """Writes Basic Text SR; reads Basic Text, Enhanced and Comprehensive SR."""

    def __init__(self, organisation: str = "Readacross") -> None:
        """`organisation` stands in Verifying Organization (0040,A027): for whom the signing reader reads."""
        self._organisation = organisation

    def read(self, data_set: bytes, transfer_syntax_uid: str) -> IncomingReport:
        """Read a document.

        Raises:
            CannotUnderstand: it is no report document, is damaged, or lacks what a report must have.
        """
        return read_document(data_set, transfer_syntax_uid)

    def claims(self, data_set: bytes, transfer_syntax_uid: str) -> RefusedClaims:
        """What a document that is refused says of alerts, and of whom; never fails."""
        return claims_of_document(data_set, transfer_syntax_uid)

    def write(self, report: OutgoingReport) -> OutgoingInstance:
        """Write a report; the same report and version always gives the same UIDs and bytes.

        Raises:
            PeerRefused: the report cannot be a structured report without loss; says why, without its text.
        """
        data_set = write_document(report, self._organisation)
        try:
            read = read_document(data_set, EXPLICIT_VR_LITTLE_ENDIAN)
        except CannotUnderstand as error:
            raise PeerRefused(f"the report cannot be written as a structured report: {error}") from None
        if read.text != report.text or read.study_instance_uid != report.study_instance_uid:
            raise PeerRefused("the report would not read back as it is from a structured report")
        return OutgoingInstance(
            sop_instance_uid=sop_instance_uid(report),
            sop_class_uid=BASIC_TEXT_SR,
            transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN,
            read_data_set=lambda: data_set,
        )
