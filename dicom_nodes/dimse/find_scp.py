"""Answers C-FIND, match by match (DICOM PS3.4 C.4.1)."""

from collections.abc import Callable, Iterator

from dicom_nodes.dimse.identifier import decode_query, encode_identifier
from dicom_nodes.dimse.messages import FindRequest, Response
from dicom_nodes.dimse.services import Caller, DimseServices
from dicom_nodes.dimse.sop_classes import root_of
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.rules.acceptance import require_action


def find(
    request: FindRequest, caller: Caller, services: DimseServices, is_cancelled: Callable[[], bool]
) -> Iterator[Response]:
    """Yield a pending response per match, then success; FE00 at once when the caller cancels.

    Raises:
        Refused: not authorised, or an identifier that is not allowed; before anything is yielded.
    """
    require_action(caller.peer, "find")
    syntax = request.context.transfer_syntax
    relational = request.sop_class_uid in caller.relational_queries
    query = decode_query(request.identifier, syntax, root_of(request.sop_class_uid), relational=relational)
    checked, found = services.query.find(query, is_cancelled)
    status = Status.PENDING if checked.complete else Status.PENDING_KEY_UNSUPPORTED
    ours = {"RetrieveAETitle": services.settings.node.ae_title, "InstanceAvailability": "ONLINE"}
    for match in found:
        if is_cancelled():
            break
        yield Response(status, identifier=encode_identifier(checked.level, {**match, **ours}, syntax))
    yield Response(Status.CANCELLED if is_cancelled() else Status.SUCCESS)
