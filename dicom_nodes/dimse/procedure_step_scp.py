"""Answers N-CREATE and N-SET of Modality Performed Procedure Step (DICOM PS3.4 F.7.2)."""

import uuid
from dataclasses import replace

from dicom_nodes.dimse.messages import CreateRequest, Response, SetRequest
from dicom_nodes.dimse.nested_data_set import decode_attributes
from dicom_nodes.dimse.services import Caller, DimseServices
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.rules.acceptance import require_action


def identified(request: CreateRequest) -> CreateRequest:
    """The request with its instance's UID, which we choose where the modality does not (DICOM PS3.7 10.1.5.1.4)."""
    if request.sop_instance_uid:
        return request
    return replace(request, sop_instance_uid=f"2.25.{uuid.uuid4().int}")


def create_step(request: CreateRequest, caller: Caller, services: DimseServices) -> Response:
    """Keep a step that begins; it is durable once this returns.

    Raises:
        Refused: 0124 not authorised; 0106, 0111, 0117, 0120, 0121 as `rules.procedure_step.created` says.
    """
    require_action(caller.peer, "mpps")
    attributes = decode_attributes(request.data_set, request.context.transfer_syntax)
    services.workflow.procedure_steps.create(request.sop_instance_uid, attributes, caller.peer.ae_title)
    return Response(Status.SUCCESS)


def set_step(request: SetRequest, caller: Caller, services: DimseServices) -> Response:
    """Keep a change of a step; it is durable once this returns.

    Raises:
        Refused: 0124 not authorised, or not its creator; 0106, 0110 (A501), 0112, 0120,
            0121 as `rules.procedure_step.changed` says.
    """
    require_action(caller.peer, "mpps")
    attributes = decode_attributes(request.data_set, request.context.transfer_syntax)
    services.workflow.procedure_steps.change(request.sop_instance_uid, attributes, caller.peer.ae_title)
    return Response(Status.SUCCESS)
