"""P-DATA-TF PDUs for sending: headers between views of the message, nothing is copied (DICOM PS3.8 9.3.5)."""

import struct

from dicom_nodes.upper_layer.pdu_types import Buffer, PduType

LARGEST_SENT = 262_144
"""What goes into one PDU for a peer that sets no limit, or an enormous one."""
_HEADER = struct.Struct(">BxLLBB")
"""PDU type, its length; PDV length, presentation context id, message control header."""
_PDV_OVERHEAD = 6


def p_data_pdus(
    context_id: int, data: Buffer, peer_maximum_length: int, is_command: bool, is_last: bool
) -> list[Buffer]:
    """Buffers to write in this order: one PDV a PDU, none longer than the peer takes (0 is unlimited).

    Fragments are even where that is possible: some receivers decode each on its own. All but the last have the same
    header, so that thousands of small PDUs cost one slice each.
    """
    view = memoryview(data)
    size, end = fragment_bytes(peer_maximum_length), len(view)
    if end <= size:
        header = _header(context_id, end, is_command, is_last)
        return [header, view] if end else [header]
    last = (end - 1) // size * size
    buffers: list[Buffer] = [_header(context_id, size, is_command, False)] * (2 * (last // size))
    buffers[1::2] = [view[start : start + size] for start in range(0, last, size)]
    buffers += _header(context_id, end - last, is_command, is_last), view[last:]
    return buffers


def fragment_bytes(peer_maximum_length: int) -> int:
    """How much of a message goes into one PDU."""
    size = min(peer_maximum_length or LARGEST_SENT, LARGEST_SENT) - _PDV_OVERHEAD
    return size & ~1 or 1


def _header(context_id: int, length: int, is_command: bool, is_last: bool) -> bytes:
    control = (1 if is_command else 0) | (2 if is_last else 0)
    return _HEADER.pack(PduType.P_DATA_TF, length + _PDV_OVERHEAD, length + 2, context_id, control)
