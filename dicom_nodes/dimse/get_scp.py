"""Answers C-GET: sends what is stored on the caller's own association (DICOM PS3.4 C.4.3).

It goes as it is stored where the caller takes that, otherwise converted (ADR 035).
"""

from collections.abc import Iterator
from typing import Protocol

from dicom_nodes.dimse.identifier import decode_query
from dicom_nodes.dimse.messages import GetRequest, Response
from dicom_nodes.dimse.outgoing import Preparation
from dicom_nodes.dimse.read_ahead import ReadAhead, Unsent
from dicom_nodes.dimse.services import Caller, DimseServices
from dicom_nodes.dimse.sop_classes import root_of
from dicom_nodes.dimse.store_pipeline import StoreExchange, StorePipeline
from dicom_nodes.dimse.sub_operations import Cancel, SubOperationTally, note_unusual
from dicom_nodes.rules.acceptance import require_action


class GetExchange(StoreExchange, Protocol):
    """The part of the association that sub-operations need."""

    def is_cancelled(self, message_id: int) -> bool: ...


def get(request: GetRequest, caller: Caller, services: DimseServices, exchange: GetExchange) -> Iterator[Response]:
    """Yield a pending response after each sub-operation, then the outcome.

    Raises:
        Refused: not authorised, or an identifier that is not allowed; before anything is yielded.
    """
    require_action(caller.peer, "get")
    query = decode_query(request.identifier, request.context.transfer_syntax, root_of(request.sop_class_uid))
    instances = services.retrieve.resolve(query)
    tally = SubOperationTally(len(instances))
    is_cancelled = Cancel(request.message_id, exchange.is_cancelled)
    ahead = ReadAhead(Unsent(instances), Preparation(caller.peer.ae_title, exchange.contexts, services.transcode))
    pipeline = StorePipeline(exchange, ahead, first_message_id=request.message_id % 0xFFFF + 1)
    try:
        for result in pipeline.results(is_cancelled):
            tally.count(result)
            note_unusual(services, "get", caller, caller.peer.ae_title, result)
            if tally.remaining:
                yield tally.pending()
    finally:
        ahead.close()
    syntax = request.context.transfer_syntax
    yield tally.cancelled(syntax) if is_cancelled.seen and tally.remaining else tally.outcome(syntax)
