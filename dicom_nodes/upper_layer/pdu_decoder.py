"""Bytes in, PDUs out (DICOM PS3.8 9.3); P-DATA values pass through as views of what was received, never copied.

What is kept between two calls is a split header (6 bytes), or an association PDU as far as it came: at most
`LARGEST_ASSOCIATION_PDU`. A PDU of 4 GB therefore costs no more than one of 4 bytes.
"""

import struct
from dataclasses import dataclass
from typing import NamedTuple

from dicom_nodes.upper_layer.faults import AbortReason, PduFault, invalid
from dicom_nodes.upper_layer.pdu_types import PDU_HEADER, Buffer, PduType

LARGEST_ASSOCIATION_PDU = 1 << 20
"""128 presentation contexts with 40 transfer syntaxes each, and a generous user identity, fit several times."""
_PDV_HEADER = struct.Struct(">LBB")
"""Item length (counts the two that follow), presentation context id, message control header (PS3.8 9.3.5.1)."""
_ONE_PDV = struct.Struct(">BxLLBB")
"""The header of a P-DATA-TF, and that of its first PDV."""
_P_DATA = int(PduType.P_DATA_TF)
_IN_PDV_LENGTH = 2
_FIXED_LENGTH = 4
_IS_COMMAND, _IS_LAST = 1, 2
_TLS_HANDSHAKE = 22
_TLS_HERE = "it speaks TLS where none is spoken: is the port the right one?"
_KNOWN_TYPES = frozenset(PduType)
_ASSOCIATION_TYPES = frozenset({PduType.ASSOCIATE_RQ, PduType.ASSOCIATE_AC})


class PduHeader(NamedTuple):
    """A PDU begins; what it says follows, unless `skip_body` is called."""

    pdu_type: PduType


class PduBody(NamedTuple):
    """A PDU other than P-DATA-TF is complete; `content` is what follows its header."""

    pdu_type: PduType
    content: bytes


class PDataFragment(NamedTuple):
    """Some bytes of a message: a whole PDV, or the part of one that has arrived.

    `is_last` is the message control header's, and only said with the last byte of its PDV. `data` is a view of the
    buffer given to `receive`, valid until that buffer is filled again.
    """

    context_id: int
    is_command: bool
    is_last: bool
    data: memoryview


@dataclass(frozen=True, slots=True)
class Fault:
    """The bytes are no PDU sequence any more; the decoder throws away whatever follows."""

    fault: PduFault


Decoded = PduHeader | PduBody | PDataFragment | Fault


_HEADER, _BODY, _SKIPPED_BODY, _PDV_HEADER_DUE, _PDV_VALUE, _DEAD = range(6)
"""What the next byte belongs to. Plain numbers: in Python 3.11 a member of an enumeration takes as long as the rest."""


class PduDecoder:
    """Give it bytes with `receive`, take out with `next` until that returns None."""

    def __init__(self, largest_p_data: int | None = None) -> None:
        """`largest_p_data` is the longest P-DATA-TF that is credible; None takes any."""
        self._largest_p_data = largest_p_data
        self.takes_data = False
        """Whether data is awaited: P-DATA then comes without a PduHeader before it."""
        self.pdus_ended = 0
        """How many have ended so far; while it stays the same, the same PDU is under way."""
        self._view = memoryview(b"")
        self._at = self._end = 0
        self._split = bytearray()
        self._mode = _HEADER
        self._pdu_type = PduType.ABORT
        self._pdu_left = 0
        self._value_left = 0
        self._context_id = 0
        self._is_command = self._is_last = False

    @property
    def kept_bytes(self) -> int:
        """How much is held back until more arrives."""
        return len(self._split)

    @property
    def is_between_pdus(self) -> bool:
        """Whether the last byte received was the last of a PDU."""
        return self._mode == _HEADER and not self._split

    def receive(self, data: Buffer) -> None:
        """Take more bytes; only after `next` has returned None. The buffer is the caller's, and is not copied."""
        self._view = memoryview(data)
        self._at, self._end = 0, len(self._view)

    def discard(self) -> None:
        """Throw away everything that comes from now on."""
        self._mode = _DEAD
        self._split.clear()

    def skip_body(self) -> None:
        """Pass over the content of the PDU whose header came last."""
        if self._mode in {_BODY, _PDV_HEADER_DUE}:
            self._mode = _SKIPPED_BODY

    def next(self) -> Decoded | None:
        """What comes next, or None when more bytes are needed."""
        while True:
            mode = self._mode
            if mode == _PDV_VALUE:
                return self._fragment()
            if mode == _HEADER and self.takes_data and (fragment := self._whole_p_data()) is not None:
                return fragment
            if mode == _PDV_HEADER_DUE:
                if (header := self._take(_PDV_HEADER.size)) is None:
                    return None
                decoded: Decoded | None = self._begin_pdv(header)
            elif mode == _HEADER:
                if (header := self._take(PDU_HEADER.size)) is None:
                    return None
                decoded = self._begin_pdu(header)
            elif mode == _BODY:
                return self._body()
            elif not self._pass_over():
                return None
            else:
                continue
            if decoded is not None:
                return decoded

    def _whole_p_data(self) -> PDataFragment | None:
        """The fast path: a P-DATA-TF with one PDV that has arrived in one piece. None leaves everything as it was."""
        start = self._at
        if self._split or self._end - start < _ONE_PDV.size:
            return None
        number, length, pdv_length, context_id, control = _ONE_PDV.unpack_from(self._view, start)
        stop = start + PDU_HEADER.size + length
        if number != _P_DATA or pdv_length != length - 4 or pdv_length < _IN_PDV_LENGTH or stop > self._end:
            return None
        if self._largest_p_data is not None and length > self._largest_p_data:
            return None
        self._at = stop
        self.pdus_ended += 1
        data = self._view[start + _ONE_PDV.size : stop]
        return PDataFragment(context_id, bool(control & _IS_COMMAND), bool(control & _IS_LAST), data)

    def _fragment(self) -> PDataFragment | None:
        count = min(self._value_left, self._end - self._at)
        if not count:
            return None
        start, self._at = self._at, self._at + count
        self._value_left -= count
        ended = not self._value_left
        if ended:
            self._end_pdv()
        return PDataFragment(self._context_id, self._is_command, ended and self._is_last, self._view[start : self._at])

    def _begin_pdu(self, header: Buffer) -> PduHeader | Fault | None:
        number, length = PDU_HEADER.unpack(header)
        if number not in _KNOWN_TYPES:
            words = _TLS_HERE if number == _TLS_HANDSHAKE else "a PDU of a type that does not exist"
            return self._fault(PduFault(AbortReason.UNRECOGNIZED_PDU, words))
        if not self._is_credible(number, length):
            return self._fault(invalid("a PDU length that is not credible"))
        self._pdu_type, self._pdu_left = PduType(number), length
        self._mode = _PDV_HEADER_DUE if number == _P_DATA else _BODY
        return None if number == _P_DATA and self.takes_data else PduHeader(self._pdu_type)

    def _is_credible(self, number: int, length: int) -> bool:
        if number == PduType.P_DATA_TF:
            return length >= _PDV_HEADER.size and (self._largest_p_data is None or length <= self._largest_p_data)
        if number in _ASSOCIATION_TYPES:
            return length <= LARGEST_ASSOCIATION_PDU
        return length == _FIXED_LENGTH

    def _begin_pdv(self, header: Buffer) -> PDataFragment | Fault | None:
        length, self._context_id, control = _PDV_HEADER.unpack(header)
        if length < _IN_PDV_LENGTH or length + 4 > self._pdu_left:
            return self._fault(invalid("a PDV does not fit into its PDU"))
        self._pdu_left -= length + 4
        if 0 < self._pdu_left < _PDV_HEADER.size:
            return self._fault(invalid("a PDU ends in the middle of a PDV header"))
        self._value_left = length - _IN_PDV_LENGTH
        self._is_command, self._is_last = bool(control & _IS_COMMAND), bool(control & _IS_LAST)
        if self._value_left:
            self._mode = _PDV_VALUE
            return None
        self._end_pdv()
        return PDataFragment(self._context_id, self._is_command, self._is_last, self._view[0:0])

    def _end_pdv(self) -> None:
        if self._pdu_left:
            self._mode = _PDV_HEADER_DUE
        else:
            self._end_pdu()

    def _end_pdu(self) -> None:
        self._mode = _HEADER
        self.pdus_ended += 1

    def _body(self) -> PduBody | None:
        content = self._take(self._pdu_left)
        if content is None:
            return None
        self._end_pdu()
        return PduBody(self._pdu_type, bytes(content))

    def _pass_over(self) -> bool:
        """Pass over a skipped body; False when more bytes are needed."""
        if self._mode == _DEAD:
            self._at = self._end
            return False
        count = min(self._pdu_left, self._end - self._at)
        self._at += count
        self._pdu_left -= count
        if self._pdu_left:
            return False
        self._end_pdu()
        return True

    def _take(self, size: int) -> Buffer | None:
        """The next `size` bytes in one piece, or None (they are then kept as far as they came)."""
        start = self._at
        if not self._split and self._end - start >= size:
            self._at = start + size
            return self._view[start : self._at]
        part = self._view[start : start + size - len(self._split)]
        self._split += part
        self._at = start + len(part)
        if len(self._split) < size:
            return None
        taken = bytes(self._split)
        self._split.clear()
        return taken

    def _fault(self, fault: PduFault) -> Fault:
        self.discard()
        return Fault(fault)
