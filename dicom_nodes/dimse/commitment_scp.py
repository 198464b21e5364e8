"""Answers N-ACTION of Storage Commitment, and takes the archive's own reports (DICOM PS3.4 J.3)."""

from collections.abc import Mapping
from typing import Protocol

from dicom_nodes.dimse.messages import ActionRequest, EventReportRequest, PresentationContext, Request, Response
from dicom_nodes.dimse.nested_data_set import decode_attributes, encode_attributes
from dicom_nodes.dimse.services import Caller, DimseServices
from dicom_nodes.dimse.sop_classes import STORAGE_COMMITMENT_PUSH, STORAGE_COMMITMENT_PUSH_INSTANCE
from dicom_nodes.model.attributes import Attributes, items_of, text_of
from dicom_nodes.model.commitment import CommitmentRequest, CommitmentResult, FailureReason, InstanceReference
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.model.errors import NotAuthorised, OperationRefused
from dicom_nodes.rules.acceptance import require_action
from dicom_nodes.rules.commitment import distinct
from dicom_nodes.rules.ingest import is_uid
from dicom_nodes.rules.procedure_step import references

_REQUEST_STORAGE_COMMITMENT = 1
_ALL_COMMITTED, _FAILURES_EXIST = 1, 2
_LINGERS_S = 0.5
"""A caller that keeps its association open for so long expects the report there; others release at once."""


class ReportExchange(Protocol):
    """The part of the association that a commitment needs."""

    def respond(self, request: Request, response: Response) -> None: ...

    def stays_silent(self, seconds: float) -> bool: ...

    def report(self, request: EventReportRequest) -> Response | None: ...


def take_request(request: ActionRequest, caller: Caller, services: DimseServices) -> CommitmentRequest:
    """Keep what the caller asks; once this returns it is durable and may be answered with success.

    Raises:
        Refused: 0124 not authorised, 0112 not the well-known instance, 0123 another action, 0120 no instances named.
    """
    require_action(caller.peer, "commit")
    if request.sop_instance_uid != STORAGE_COMMITMENT_PUSH_INSTANCE:
        raise OperationRefused(Status.NO_SUCH_SOP_INSTANCE, "not the Storage Commitment Push Model SOP Instance")
    if request.action_type_id != _REQUEST_STORAGE_COMMITMENT:
        raise OperationRefused(Status.NO_SUCH_ACTION, "only action type 1 is known")
    attributes = decode_attributes(request.data_set, request.context.transfer_syntax)
    transaction_uid = _transaction_uid(attributes)
    items, instances = items_of(attributes, "ReferencedSOPSequence"), references(attributes, "ReferencedSOPSequence")
    if not items:
        raise OperationRefused(Status.MISSING_ATTRIBUTE, "ReferencedSOPSequence is missing or empty")
    if len(instances) != len(items):
        raise OperationRefused(Status.INVALID_ARGUMENT_VALUE, "an item of ReferencedSOPSequence lacks a UID")
    asked = CommitmentRequest(caller.peer.ae_title, transaction_uid, distinct(instances))
    services.workflow.commit_storage.take(asked)
    return asked


def report_here(
    request: ActionRequest, asked: CommitmentRequest, services: DimseServices, exchange: ReportExchange
) -> None:
    """Report on the association of the request, where the caller waits for it; otherwise the job does.

    Raises:
        AssociationGoneError.
    """
    if exchange.stays_silent(_LINGERS_S):
        ours = services.settings.node.ae_title
        services.workflow.commit_storage.report_here(
            asked, lambda result: _is_understood(exchange.report(report_of(result, request.context, 1, ours)))
        )


def report_of(
    result: CommitmentResult, context: PresentationContext, message_id: int, own_ae_title: str
) -> EventReportRequest:
    """The N-EVENT-REPORT of a result (DICOM PS3.4 table J.3-2)."""
    attributes: Attributes = {"TransactionUID": result.transaction_uid, "RetrieveAETitle": own_ae_title}
    if result.committed:
        attributes["ReferencedSOPSequence"] = [_reference(item) for item in result.committed]
    if result.failed:
        attributes["FailedSOPSequence"] = [
            {**_reference(item), "FailureReason": str(int(reason))} for item, reason in result.failed.items()
        ]
    return EventReportRequest(
        context,
        message_id,
        STORAGE_COMMITMENT_PUSH,
        STORAGE_COMMITMENT_PUSH_INSTANCE,
        _FAILURES_EXIST if result.failed else _ALL_COMMITTED,
        encode_attributes(attributes, context.transfer_syntax),
    )


def read_report(request: EventReportRequest) -> CommitmentResult:
    """What an archive reports.

    Raises:
        OperationRefused: 0113 another event, 0115 it does not name its transaction.
    """
    if request.event_type_id not in {_ALL_COMMITTED, _FAILURES_EXIST}:
        raise OperationRefused(Status.NO_SUCH_EVENT_TYPE, "only event types 1 and 2 are known")
    attributes = decode_attributes(request.data_set, request.context.transfer_syntax)
    failed: Mapping[InstanceReference, int] = {
        reference: _number(text_of(item, "FailureReason"))
        for item in items_of(attributes, "FailedSOPSequence")
        for reference in references({"One": [item]}, "One")
    }
    committed = tuple(r for r in references(attributes, "ReferencedSOPSequence") if r not in failed)
    return CommitmentResult(_transaction_uid(attributes), committed, failed)


def take_result(request: EventReportRequest, caller: Caller, services: DimseServices) -> Response:
    """Take the report of the archive on our question.

    Raises:
        Refused: 0124 another peer than the archive, 0115 a transaction that is not ours.
    """
    asking = services.workflow.ask_commitment
    if asking is None or caller.peer.ae_title != asking.archive_ae_title:
        raise NotAuthorised(f"{caller.peer.ae_title} was not asked for a commitment")
    if not asking.take_result(read_report(request)):
        raise OperationRefused(Status.INVALID_ARGUMENT_VALUE, "the Transaction UID is not one of ours")
    return Response(Status.SUCCESS)


def _transaction_uid(attributes: Attributes) -> str:
    uid = text_of(attributes, "TransactionUID")
    if not is_uid(uid):
        raise OperationRefused(Status.INVALID_ARGUMENT_VALUE, "TransactionUID is missing or malformed")
    return uid


def _reference(item: InstanceReference) -> Attributes:
    return {"ReferencedSOPClassUID": item.sop_class_uid, "ReferencedSOPInstanceUID": item.sop_instance_uid}


def _is_understood(response: Response | None) -> bool:
    return response is not None and response.status == Status.SUCCESS


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else FailureReason.PROCESSING_FAILURE
