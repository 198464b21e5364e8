"""Answers C-GET: sends what is stored, as it is stored, on the caller's own association (DICOM PS3.4 C.4.3)."""

from collections.abc import Iterator
from typing import Protocol

from dicom_nodes.dimse.identifier import decode_query
from dicom_nodes.dimse.messages import GetRequest, PresentationContext, Response, StoreRequest
from dicom_nodes.dimse.services import Caller, DimseServices
from dicom_nodes.dimse.sop_classes import root_of
from dicom_nodes.dimse.sub_operations import SubOperationTally
from dicom_nodes.model.delivery import OutgoingInstance, StoreResult
from dicom_nodes.model.errors import NodeError
from dicom_nodes.rules.acceptance import require_action


class StoreExchange(Protocol):
    """The part of the association that sub-operations need."""

    @property
    def contexts(self) -> tuple[PresentationContext, ...]: ...

    def store(self, request: StoreRequest) -> Response: ...

    def is_cancelled(self, message_id: int) -> bool: ...


def get(request: GetRequest, caller: Caller, services: DimseServices, exchange: StoreExchange) -> Iterator[Response]:
    """Yield a pending response after each sub-operation, then the outcome.

    Raises:
        Refused: not authorised, or an identifier that is not allowed; before anything is yielded.
    """
    require_action(caller.peer, "get")
    query = decode_query(request.identifier, request.context.transfer_syntax, root_of(request.sop_class_uid))
    instances = services.retrieve.resolve(query)
    tally = SubOperationTally(len(instances))
    contexts = {(context.abstract_syntax, context.transfer_syntax): context for context in exchange.contexts}
    for number, instance in enumerate(instances, start=1):
        if exchange.is_cancelled(request.message_id):
            yield tally.cancelled(request.context.transfer_syntax)
            return
        result = _sub_operation(instance, contexts, number, exchange)
        tally.count(result)
        if result.comment:
            services.log.warning(
                "get.sub_operation_failed",
                association=caller.association_id,
                peer=caller.peer.ae_title,
                sop_instance=services.uid_hash(instance.sop_instance_uid),
                why=result.comment,
            )
        if tally.remaining:
            yield tally.pending()
    yield tally.outcome(request.context.transfer_syntax)


def _sub_operation(
    instance: OutgoingInstance,
    contexts: dict[tuple[str, str], PresentationContext],
    number: int,
    exchange: StoreExchange,
) -> StoreResult:
    context = contexts.get((instance.sop_class_uid, instance.transfer_syntax_uid))
    if context is None:
        return StoreResult(instance.sop_instance_uid, None, "not accepted in the transfer syntax it is stored in")
    try:
        data_set = instance.read_data_set()
    except NodeError as error:
        return StoreResult(instance.sop_instance_uid, None, str(error))
    answer = exchange.store(
        StoreRequest(context, number % 0xFFFF + 1, instance.sop_class_uid, instance.sop_instance_uid, data_set)
    )
    return StoreResult(instance.sop_instance_uid, answer.status, "" if answer.status == 0 else "not stored by the peer")
