"""Instances as a C-STORE request brings them, without a wire."""

from datetime import UTC, datetime

from dicom_nodes.encoding.digest import HeldDataSet
from dicom_nodes.model.instance import Channel, IncomingInstance, Provenance
from tests.synthetic.studies import ImageFile, data_set_bytes


def incoming_of(file: ImageFile) -> IncomingInstance:
    """The file's instance, its data set in memory."""
    provenance = Provenance("RXN", Channel.ACQUIRED, "CT1", datetime(2026, 11, 23, tzinfo=UTC))
    data_set = HeldDataSet(data_set_bytes(file.path.read_bytes()))
    return IncomingInstance(
        file.sop_class_uid, file.sop_instance_uid, file.transfer_syntax_uid, data_set, provenance, "association"
    )
