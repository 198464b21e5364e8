"""Answers C-ECHO (DICOM PS3.7 9.1.5)."""

from dicom_nodes.dimse.messages import Response
from dicom_nodes.dimse.services import Caller
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.rules.acceptance import require_action


def echo(caller: Caller) -> Response:
    """Say that we are here, to those who may ask."""
    require_action(caller.peer, "echo")
    return Response(Status.SUCCESS)
