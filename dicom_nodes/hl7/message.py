"""An HL7 v2 message as it arrived: split only where somebody looks, and written back byte for byte.

Delimiters come from MSH-1 and MSH-2, the character set from MSH-18. A line that does not begin like a segment is a
fault, because it is text behind a carriage return that was not escaped: dropping it would drop words of a report.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dicom_nodes.hl7 import charset as charsets
from dicom_nodes.hl7.escapes import Delimiters, unescape
from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place
from dicom_nodes.model.report import AckCode
from dicom_nodes.model.report_text import control_character

_NAME = re.compile(rb"[A-Z][A-Z0-9]{2}")
_COMMON = frozenset(
    name + b"|" for name in (b"MSH", b"PID", b"PD1", b"PV1", b"ORC", b"OBR", b"OBX", b"NTE", b"TQ1", b"MSA", b"ERR")
)
"""How most lines begin: they need no closer look."""
_END_OF_LINE = re.compile(rb"[\r\n]")
_PLAIN = re.compile(rb"[ -~]*")
MSH = Place("MSH")


@dataclass(frozen=True, slots=True)
class Field:
    """One repetition of a field: components are split and decoded when asked for."""

    raw: bytes
    place: Place
    delimiters: Delimiters
    charset: str

    def text(self) -> str:
        """The whole repetition as text, component separators kept: what TX, FT and ST hold."""
        return _decoded(self.raw, self.place, self.delimiters, self.charset)

    def component(self, number: int, subcomponent: int = 1) -> str:
        """A component's subcomponent (both from 1), stripped; absent, empty and HL7's null `""` are all empty."""
        part = _piece(_piece(self.raw, self.delimiters.component, number), self.delimiters.subcomponent, subcomponent)
        return _value(part, self.place, self.delimiters, self.charset)

    def has_subcomponents(self, number: int) -> bool:
        """Whether the component is made of several subcomponents."""
        subcomponent = self.delimiters.subcomponent
        return bool(subcomponent) and subcomponent in _piece(self.raw, self.delimiters.component, number)


class Segment:
    """One line of a message; `repetition` counts segments of the same name from 1."""

    __slots__ = ("_charset", "_delimiters", "_fields", "name", "raw", "repetition")

    def __init__(self, raw: bytes, repetition: int, delimiters: Delimiters, charset: str) -> None:
        self.raw = raw
        self.name = raw[:3].decode("ascii")
        self.repetition = repetition
        self._delimiters = delimiters
        self._charset = charset
        self._fields: list[bytes] | None = None

    @property
    def delimiters(self) -> Delimiters:
        """Those of its message."""
        return self._delimiters

    def place(self, field: int | None = None) -> Place:
        """Where a field of this segment is, for a fault."""
        return Place(self.name, field, self.repetition)

    def fault(self, field: int, words: str, code: ErrorCode) -> Hl7Fault:
        """A fault at a field of this segment."""
        return Hl7Fault(self.place(field), words, code)

    def repetitions(self, field: int) -> list[Field]:
        """The repetitions of a field, numbered as the standard does (MSH-1 is the separator itself)."""
        raw = self.raw_field(field)
        pieces = _split(raw, self._delimiters.repetition) if raw else []
        return [Field(piece, self.place(field), self._delimiters, self._charset) for piece in pieces]

    def first(self, field: int) -> Field:
        """The first repetition; an empty one when the field is absent."""
        raw = _piece(self.raw_field(field), self._delimiters.repetition, 1)
        return Field(raw, self.place(field), self._delimiters, self._charset)

    def value(self, field: int, component: int = 1) -> str:
        """A component of the first repetition; empty when absent."""
        delimiters = self._delimiters
        raw = self.raw_field(field)
        if not raw:
            return ""
        part = _piece(_piece(raw, delimiters.repetition, 1), delimiters.component, component)
        part = _piece(part, delimiters.subcomponent, 1)
        if delimiters.escape not in part and _PLAIN.fullmatch(part):
            value = part.decode("ascii").strip()
            return "" if value == '""' else value
        return _value(part, self.place(field), delimiters, self._charset)

    def raw_field(self, number: int) -> bytes:
        """The field's bytes with its repetitions; empty when absent."""
        if self._fields is None:
            self._fields = self.raw.split(self._delimiters.field)
        index = number - 1 if self.name == "MSH" else number
        return self._fields[index] if 0 < index < len(self._fields) else b""


class Message:
    """A parsed message; `bytes(message)` is what was parsed."""

    __slots__ = ("_end", "_lines", "_named", "_segments", "charset", "delimiters", "header")

    def __init__(self, raw: bytes) -> None:
        """Find the lines, and see that each is a segment.

        Raises:
            Hl7Fault: no MSH, unusable delimiters, a line that is no segment, a character set we do not read.
        """
        self.delimiters = _delimiters(raw)
        self._end = b"\r" if b"\r" in raw else b"\n"
        self._lines = raw.split(self._end)
        self.charset = _charset(Segment(_unended(self._lines[0]), 1, self.delimiters, "ASCII"))
        self.header = Segment(_unended(self._lines[0]), 1, self.delimiters, self.charset)
        self._named: dict[str, tuple[Segment, ...]] = {}
        self._segments: tuple[Segment, ...] | None = None
        common = _COMMON if self.delimiters.field == b"|" else frozenset()
        for number, line in enumerate(self._lines, 1):
            if line[:4] not in common:
                self._require_segment(line, number)

    def __bytes__(self) -> bytes:
        return self._end.join(self._lines)

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.header.value(10)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """All segments, in order."""
        if self._segments is None:
            counts: dict[bytes, int] = {}
            found = []
            for line in map(_unended, self._lines):
                if line.strip():
                    counts[line[:3]] = counts.get(line[:3], 0) + 1
                    found.append(Segment(line, counts[line[:3]], self.delimiters, self.charset))
            self._segments = tuple(found)
        return self._segments

    def named(self, name: str) -> Sequence[Segment]:
        """All segments of this name, in order."""
        found = self._named.get(name)
        if found is None:
            lines = [line for line in map(_unended, self._lines) if line.startswith(name.encode())]
            found = tuple(Segment(line, n, self.delimiters, self.charset) for n, line in enumerate(lines, 1))
            self._named[name] = found
        return found

    def first(self, name: str) -> Segment | None:
        """The first segment of this name."""
        start = name.encode()
        starts = (start, b"\n" + start)
        for line in self._lines:
            if line.startswith(starts):
                return Segment(_unended(line), 1, self.delimiters, self.charset)
        return None

    def _require_segment(self, line: bytes, number: int) -> None:
        line = _unended(line)
        if not line.strip() or (_NAME.fullmatch(line[:3]) and line[3:4] in {b"", self.delimiters.field}):
            return
        words = (
            f"line {number} does not begin with a segment name; "
            "was a carriage return left unescaped in the segment before it?"
        )
        previous = _unended(self._lines[max(0, number - 2)])[:3].decode("ascii", "replace")
        raise Hl7Fault(Place(previous if previous.isalnum() else "MSH"), words, ErrorCode.SEGMENT_SEQUENCE)


def read_header(raw: bytes) -> Segment:
    """The MSH segment alone, its values as ASCII: enough to answer a message that is otherwise unreadable.

    Raises:
        Hl7Fault: there is no MSH segment.
    """
    delimiters = _delimiters(raw)
    return Segment(_END_OF_LINE.split(raw, maxsplit=1)[0], 1, delimiters, "ASCII")


def _unended(line: bytes) -> bytes:
    """A line without the LF of the CR LF before it, which the split at CR leaves on it."""
    return line[1:] if line[:1] == b"\n" else line


def _split(raw: bytes, delimiter: bytes) -> list[bytes]:
    return raw.split(delimiter) if delimiter else [raw]


def _piece(raw: bytes, delimiter: bytes, number: int) -> bytes:
    """The piece of this number, from 1; empty when there are fewer."""
    if not delimiter or delimiter not in raw:
        return raw if number == 1 else b""
    pieces = raw.split(delimiter, number)
    return pieces[number - 1] if number <= len(pieces) else b""


def _value(raw: bytes, place: Place, delimiters: Delimiters, charset: str) -> str:
    value = _decoded(raw, place, delimiters, charset).strip()
    return "" if value == '""' else value


def _decoded(raw: bytes, place: Place, delimiters: Delimiters, charset: str) -> str:
    text = charsets.decode(unescape(raw, delimiters, place), charset, place)
    if control := control_character(text):
        raise Hl7Fault(place, f"holds the control character {control}", ErrorCode.DATA_TYPE)
    return text


def _delimiters(raw: bytes) -> Delimiters:
    if raw[:3] != b"MSH" or len(raw) < 8:
        raise Hl7Fault(MSH, "the message does not begin with an MSH segment", ErrorCode.SEGMENT_SEQUENCE, AckCode.AR)
    separator = raw[3:4]
    msh_2 = _END_OF_LINE.split(raw[4:20], maxsplit=1)[0].split(separator)[0]
    return _delimiters_of(separator, msh_2)


_STANDARD = Delimiters()


def _delimiters_of(separator: bytes, msh_2: bytes) -> Delimiters:
    if separator == b"|" and msh_2 == b"^~\\&":
        return _STANDARD
    marks = [bytes([mark]) for mark in msh_2]
    usable = all(mark.isascii() and not mark.isalnum() and mark > b" " for mark in [separator, *marks])
    if not usable or not 1 <= len(marks) <= 5 or len({separator, *marks}) != len(marks) + 1:
        raise Hl7Fault(Place("MSH", 2), "delimiters cannot be told apart", ErrorCode.DATA_TYPE, AckCode.AR)
    component, repetition, escape, subcomponent = [*marks, b"", b"", b""][:4]
    return Delimiters(separator, component, repetition, escape, subcomponent)


def _charset(header: Segment) -> str:
    if not header.raw_field(18):
        return ""
    named = [repetition.component(1) for repetition in header.repetitions(18)]
    if len(set(named)) > 1:
        raise Hl7Fault(
            charsets.MSH_18, "several character sets in one message are not supported", ErrorCode.TABLE_VALUE
        )
    charsets.codec_of(named[0])
    return named[0]
