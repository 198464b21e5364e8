"""Query and retrieve requests over a wire of ours: identifiers, and the end of a C-FIND, C-GET or C-MOVE."""

from collections.abc import Iterator
from io import BytesIO

from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from dicom_nodes.upper_layer.command_set import DATA_SET_PRESENT, Command, CommandField
from dicom_nodes.upper_layer.presentation_contexts import ProposedContext
from readacross.bench.wire import Message, Wire

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
CONTEXT_ID = 1
_PENDING = frozenset({0xFF00, 0xFF01})


def query_context(sop_class_uid: str) -> ProposedContext:
    """The presentation context that requests go over."""
    return ProposedContext(CONTEXT_ID, sop_class_uid, (IMPLICIT_VR_LITTLE_ENDIAN,))


def ask(wire: Wire, what: CommandField, sop_class_uid: str, message_id: int, destination: str | None = None,
        **keys: str) -> None:  # fmt: skip
    """Send a C-FIND, C-GET or C-MOVE request; `keys` by keyword."""
    command = Command(
        what,
        DATA_SET_PRESENT,
        message_id=message_id,
        affected_sop_class_uid=sop_class_uid,
        priority=0,
        move_destination=destination,
    )
    wire.send_message(CONTEXT_ID, command, encoded(keys))


def find(wire: Wire, message_id: int, **keys: str) -> Iterator[bytes]:
    """The identifiers of the pending responses to a C-FIND, as they arrive.

    Raises:
        RuntimeError: it did not end in success.
    """
    ask(wire, CommandField.C_FIND_RQ, STUDY_ROOT_FIND, message_id, **keys)
    while is_pending(answer := wire.receive()):
        yield answer.identifier
    if answer.command.status:
        raise RuntimeError(f"C-FIND answered with {answer.command.status:04X}")


def is_pending(answer: Message) -> bool:
    """Whether more responses follow."""
    return answer.command.status in _PENDING


def encoded(keys: dict[str, str]) -> bytes:
    """An identifier in implicit VR little endian."""
    data_set = Dataset()
    for keyword, value in keys.items():
        setattr(data_set, keyword, value)
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    write_dataset(buffer, data_set)
    return bytes(buffer.getvalue())


def decoded(identifier: bytes) -> Dataset:
    """What `encoded` writes, read."""
    return read_dataset(BytesIO(identifier), is_implicit_VR=True, is_little_endian=True)
