"""The report that an order brings, under the identifiers of the origin's own images, and whether it may go out."""

from dicom_nodes import contract
from dicom_nodes.foundation.addendum import whole_text
from dicom_nodes.model.errors import PeerRefused
from dicom_nodes.model.instance import InstanceHeader
from dicom_nodes.model.report import OutgoingReport, ReportAuthor, ReportSection
from dicom_nodes.model.study import StudyRecord

_NOT_IMAGING = {"SR", "PR", "KO", "DOC", "REG", "SEG"}


def ordered_report(order: contract.Order, record: StudyRecord | None, own_ods: str) -> OutgoingReport:
    """`record` is what this node has of the report's study.

    Raises:
        PeerRefused: it is not for this trust, or not of this study's patient.
    """
    body = order.body
    if not isinstance(body, contract.ReturnReport):
        raise PeerRefused(f"order {order.order_id} is no report to return")
    if body.study.origin != own_ods:
        raise PeerRefused(f"the report is for {body.study.origin}, this node stands for {own_ods}")
    if record is None:
        raise PeerRefused("this node has no images of the report's study")
    if record.origin != own_ods:
        raise PeerRefused(f"the images of the report's study are {record.origin}'s, not {own_ods}'s")
    if differing := _differences(body.study, record.header):
        raise PeerRefused(f"the report's {differing} differs from the images'; a person must look")
    return _outgoing(body, record)


def _differences(ordered: contract.StudyIdentity, held: InstanceHeader) -> str:
    """Which identifiers of the patient both sides state and state differently, in words."""
    patient = ordered.patient
    pairs = {
        "patient id": (patient.patient_id, held.patient_id),
        "patient id issuer": (patient.issuer, held.patient_id_issuer),
        "NHS number": (patient.nhs_number, held.nhs_number),
        "birth date": (patient.birth_date, held.birth_date),
    }
    return ", ".join(name for name, (one, other) in pairs.items() if one and other and one != other)


def _outgoing(order: contract.ReturnReport, record: StudyRecord) -> OutgoingReport:
    """The report under the identifiers of the origin's images; issuers that they leave out come from the order.

    Where the trust's ADT changed who the patient is, the order says so, and the report goes out under that.
    """
    held = record.header
    code, now = order.exam_code, order.present_patient
    issuer = held.patient_id_issuer or order.study.patient.issuer
    imaged = (held.patient_id, issuer, held.nhs_number, held.birth_date)
    present = imaged
    if now is not None:
        present = (now.patient_id, now.issuer, now.nhs_number or held.nhs_number, now.birth_date or held.birth_date)
    return OutgoingReport(
        report_id=order.report_id,
        version=order.version,
        status="C" if order.addendum else order.status,
        text=_whole_text(order),
        author_registration=order.author.registration,
        author_name=order.author.name,
        authored_at=order.authored_at,
        verified_at=order.verified_at,
        study_instance_uid=held.study_instance_uid,
        accession_number=held.accession_number,
        accession_issuer=held.accession_issuer or order.study.accession_issuer,
        patient_id=present[0],
        patient_id_issuer=present[1],
        nhs_number=present[2],
        birth_date=present[3],
        patient_name=held.attributes.get("PatientName"),
        patient_sex=held.attributes.get("PatientSex"),
        study_time=held.study_time,
        study_description=held.attributes.get("StudyDescription"),
        exam_code=(code.value, code.scheme, code.meaning) if code else held.exam_code,
        modality=next((modality for modality in record.modalities if modality not in _NOT_IMAGING), None),
        sections=() if order.addendum else tuple(ReportSection(one.title, one.text) for one in order.sections),
        authors=tuple(ReportAuthor(one.registration, one.name, one.role) for one in order.authors),
        addendum=order.addendum,
        addition=order.text if order.addendum else None,
        has_moved=present != imaged,
    )


def _whole_text(order: contract.ReturnReport) -> str:
    if not order.addendum:
        return order.text
    if order.standing_text is None:
        raise PeerRefused("an addendum came without the report that it is added to; a person must look")
    author = order.author
    return whole_text(order.standing_text, order.text, author.name, author.registration, order.authored_at)
