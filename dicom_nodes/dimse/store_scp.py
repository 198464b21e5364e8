"""Answers C-STORE: success only once the node has the bytes for good (DICOM PS3.4 B.2.3)."""

from dicom_nodes.dimse.data_set_sink import DataSetSink
from dicom_nodes.dimse.messages import Response, StoreRequest
from dicom_nodes.dimse.services import Caller, DimseServices
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.model.errors import CannotUnderstand
from dicom_nodes.model.instance import IncomingInstance, Provenance, ReceivedDataSet
from dicom_nodes.rules.acceptance import channel_of, require_action


def open_data_set(request: StoreRequest, caller: Caller, services: DimseServices) -> DataSetSink[ReceivedDataSet]:
    """Where the request's data set goes as it arrives.

    Raises:
        Refused: the caller may not store, so nothing of it is kept.
    """
    require_action(caller.peer, "store")
    return services.open_sink(request)


def store(request: StoreRequest, caller: Caller, services: DimseServices) -> Response:
    """Hand the instance to ingest, byte for byte as received.

    Raises:
        Refused: the caller may not store, there is no data set, or ingest refuses it.
    """
    require_action(caller.peer, "store")
    data_set = request.received
    if data_set is None or not data_set.size_bytes:
        raise CannotUnderstand("the request has no data set")
    provenance = Provenance(
        origin=services.own_ods,
        channel=channel_of(caller.peer, request.sop_class_uid),
        sending_ae_title=caller.peer.ae_title,
        received_at=services.clock(),
    )
    services.ingest(
        IncomingInstance(
            sop_class_uid=request.sop_class_uid,
            sop_instance_uid=request.sop_instance_uid,
            transfer_syntax_uid=request.context.transfer_syntax,
            data_set=data_set,
            provenance=provenance,
            association_id=caller.association_id,
        )
    )
    return Response(Status.SUCCESS)
