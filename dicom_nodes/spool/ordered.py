"""What an order message tells the router: one fact for each accession number and study that it is about."""

from collections.abc import Iterator, Sequence

from dicom_nodes.contract import ImagingOrdered, PatientIdentity, Referrer
from dicom_nodes.model.attributes import Attributes, text_of
from dicom_nodes.model.procedure import ImagingOrder, OrderControl, OrderDetails

_TELLING = {OrderControl.NEW, OrderControl.CHANGE}
_ENDING = {OrderControl.CANCEL, OrderControl.DISCONTINUE}


def facts_of(order: ImagingOrder, known: Sequence[Attributes]) -> Iterator[ImagingOrdered]:
    """`known` are the worklist items that the order had before; a cancellation says no more than which they are."""
    details = order.details
    if details is None or order.control not in _TELLING | _ENDING:
        return
    items = known if order.control in _ENDING else [step.attributes for step in order.steps]
    about = {(text_of(item, "AccessionNumber"), text_of(item, "StudyInstanceUID")) for item in items}
    for accession_number, study_instance_uid in sorted(about):
        if accession_number:
            yield _fact(order, details, accession_number, study_instance_uid)


def _fact(order: ImagingOrder, details: OrderDetails, number: str, study_instance_uid: str) -> ImagingOrdered:
    patient, referred = (
        details.patient,
        (details.referrer_name, details.referrer_registration, details.referrer_contact),
    )
    whose = patient.number
    referrer = Referrer(name=referred[0], registration=referred[1], contact=referred[2]) if any(referred) else None
    return ImagingOrdered(
        accession_number=number,
        accession_issuer=_issuer(order, number, patient.accession_issuer),
        patient=PatientIdentity(
            issuer=None if whose is None else whose.issuer,
            patient_id=None if whose is None else whose.number,
            nhs_number=patient.nhs_number,
            birth_date=patient.birth_date,
        ),
        study_instance_uid=study_instance_uid or None,
        cancelled=order.control in _ENDING,
        urgency=details.urgency,
        suspected_cancer=details.suspected_cancer,
        pathway=details.pathway,
        clinical_question=details.clinical_question,
        referrer=referrer,
        critical_contact=details.critical_contact,
    )


def _issuer(order: ImagingOrder, number: str, default: str) -> str:
    """Who gave the accession number: of the order's own numbers the one that it is, else the trust itself."""
    own = (one for one in (order.filler, order.placer) if one is not None and one.number == number)
    return next((one.issuer for one in own), default)
