"""Answers N-CREATE of Instance Availability Notification (DICOM PS3.4 R.3.2)."""

from dicom_nodes.dimse.messages import CreateRequest, Response
from dicom_nodes.dimse.nested_data_set import decode_attributes
from dicom_nodes.dimse.services import Caller, DimseServices
from dicom_nodes.model.attributes import Attributes, items_of, text_of
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.model.errors import OperationRefused
from dicom_nodes.model.procedure import Announcement
from dicom_nodes.rules.acceptance import require_action
from dicom_nodes.rules.commitment import distinct
from dicom_nodes.rules.ingest import is_uid
from dicom_nodes.rules.procedure_step import references

_NOT_TO_BE_HAD = "UNAVAILABLE"


def take_notification(request: CreateRequest, caller: Caller, services: DimseServices) -> Response:
    """Keep what the caller says exists; a study announced by several notifications has the instances of them all.

    Raises:
        Refused: 0124 not authorised, 0120 or 0121 no study or no instances named.
    """
    require_action(caller.peer, "ian")
    attributes = decode_attributes(request.data_set, request.context.transfer_syntax)
    services.workflow.announcements.take(read_notification(attributes, caller.peer.ae_title))
    return Response(Status.SUCCESS)


def read_notification(attributes: Attributes, announced_by: str) -> Announcement:
    """What the notification announces (DICOM PS3.4 table R.3.2-1), without what it says is UNAVAILABLE.

    Raises:
        OperationRefused: 0120 or 0121 no study or no instances named.
    """
    study_instance_uid = text_of(attributes, "StudyInstanceUID")
    if not is_uid(study_instance_uid):
        raise OperationRefused(Status.MISSING_ATTRIBUTE_VALUE, "StudyInstanceUID is missing or malformed")
    series = items_of(attributes, "ReferencedSeriesSequence")
    if not series:
        raise OperationRefused(Status.MISSING_ATTRIBUTE, "ReferencedSeriesSequence is missing or empty")
    available: list[Attributes] = [
        item
        for one in series
        for item in items_of(one, "ReferencedSOPSequence")
        if text_of(item, "InstanceAvailability") != _NOT_TO_BE_HAD
    ]
    instances = distinct(references({"All": available}, "All"))
    if len(instances) < len({text_of(item, "ReferencedSOPInstanceUID") for item in available}):
        raise OperationRefused(Status.MISSING_ATTRIBUTE_VALUE, "an item of ReferencedSOPSequence lacks a UID")
    return Announcement(study_instance_uid, announced_by, instances)
