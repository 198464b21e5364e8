"""P-DATA-TF PDUs for sending: headers between views of the message, nothing is copied (DICOM PS3.8 9.3.5)."""

import struct
from collections.abc import Iterator

from dicom_nodes.upper_layer.pdu_types import Buffer, PduType

LARGEST_SENT = 262_144
"""What goes into one PDU for a peer that sets no limit, or an enormous one."""
_HEADER = struct.Struct(">BxLLBB")
"""PDU type, its length; PDV length, presentation context id, message control header."""
_PDV_OVERHEAD = 6


def p_data_pdus(
    context_id: int, data: Buffer, peer_maximum_length: int, is_command: bool, is_last: bool
) -> Iterator[Buffer]:
    """Buffers to write in this order: one PDV a PDU, none longer than the peer takes (0 is unlimited).

    Fragments are even where that is possible: some receivers decode each on its own.
    """
    view = memoryview(data)
    size = min(peer_maximum_length or LARGEST_SENT, LARGEST_SENT) - _PDV_OVERHEAD
    size = size & ~1 or 1
    end = len(view)
    for start in range(0, end or 1, size):
        part = view[start : start + size]
        closes = is_last and start + size >= end
        control = (1 if is_command else 0) | (2 if closes else 0)
        length = len(part)
        yield _HEADER.pack(PduType.P_DATA_TF, length + _PDV_OVERHEAD, length + 2, context_id, control)
        if length:
            yield part
