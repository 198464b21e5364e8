"""Answers C-FIND of the Modality Worklist, match by match (DICOM PS3.4 K.4.1)."""

from collections.abc import Callable, Iterator

from dicom_nodes.dimse.messages import FindRequest, Response
from dicom_nodes.dimse.nested_data_set import decode_attributes, encode_attributes
from dicom_nodes.dimse.services import Caller, DimseServices
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.rules.acceptance import require_action


def find_worklist(
    request: FindRequest, caller: Caller, services: DimseServices, is_cancelled: Callable[[], bool]
) -> Iterator[Response]:
    """Yield a pending response per step, then success; FE00 at once when the caller cancels.

    Raises:
        Refused: not authorised, or an identifier that is not allowed; before anything is yielded.
    """
    require_action(caller.peer, "worklist")
    syntax = request.context.transfer_syntax
    found = services.workflow.worklist.find(decode_attributes(request.identifier, syntax))
    for step in found:
        if is_cancelled():
            yield Response(Status.CANCELLED)
            return
        yield Response(Status.PENDING, identifier=encode_attributes(step, syntax))
    yield Response(Status.SUCCESS)
