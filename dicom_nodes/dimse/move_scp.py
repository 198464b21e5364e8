"""Answers C-MOVE: sends what is stored to a listed destination (DICOM PS3.4 C.4.2).

It goes as it is stored where the destination takes that, otherwise converted (ADR 035).
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from dicom_nodes.dimse.identifier import decode_query
from dicom_nodes.dimse.messages import MoveOriginator, MoveRequest, Response
from dicom_nodes.dimse.services import Caller, DimseServices
from dicom_nodes.dimse.sop_classes import root_of
from dicom_nodes.dimse.sub_operations import Cancel, SubOperationTally, note_unusual
from dicom_nodes.foundation.settings_file import split_host_port
from dicom_nodes.model.delivery import ApplicationEntity, OutgoingInstance, StoreResult
from dicom_nodes.model.errors import MoveDestinationUnknown, PeerFailed
from dicom_nodes.rules.acceptance import require_action


class CancelExchange(Protocol):
    """The part of the association that a move needs."""

    def is_cancelled(self, message_id: int) -> bool: ...


def move(request: MoveRequest, caller: Caller, services: DimseServices, exchange: CancelExchange) -> Iterator[Response]:
    """Yield a pending response after each sub-operation, then the outcome.

    Raises:
        Refused: not authorised, an unknown destination (there is never another one), or an identifier that is
            not allowed; before anything is yielded.
    """
    require_action(caller.peer, "move")
    destination = _destination(request.destination, services)
    query = decode_query(request.identifier, request.context.transfer_syntax, root_of(request.sop_class_uid))
    instances = services.retrieve.resolve(query)
    tally = SubOperationTally(len(instances))
    cancel = Cancel(request.message_id, exchange.is_cancelled)
    originator = MoveOriginator(caller.peer.ae_title, request.message_id)
    for result in _results(services, destination, instances, originator, cancel):
        tally.count(result)
        note_unusual(services, "move", caller, destination.ae_title, result)
        if tally.remaining:
            yield tally.pending()
    syntax = request.context.transfer_syntax
    yield tally.cancelled(syntax) if cancel.seen and tally.remaining else tally.outcome(syntax)


def _destination(ae_title: str, services: DimseServices) -> ApplicationEntity:
    peer = services.settings.peer(ae_title)
    if peer is None or peer.address is None:
        raise MoveDestinationUnknown("the move destination is not a listed peer with an address")
    return ApplicationEntity(ae_title, *split_host_port(peer.address), peer.parallel_associations)


def _results(
    services: DimseServices,
    destination: ApplicationEntity,
    instances: Sequence[OutgoingInstance],
    originator: MoveOriginator,
    cancel: Cancel,
) -> Iterator[StoreResult]:
    """Every instance's result; when the destination fails, the rest has failed with it."""
    left = {instance.sop_instance_uid: None for instance in instances}
    try:
        for result in services.move_scu.send(destination, instances, originator=originator, is_cancelled=cancel):
            left.pop(result.sop_instance_uid, None)
            yield result
    except PeerFailed as error:
        for sop_instance_uid in left:
            yield StoreResult(sop_instance_uid, None, str(error))
