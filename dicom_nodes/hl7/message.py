"""An HL7 v2 message as it arrived: split only where somebody looks, and written back byte for byte.

Delimiters come from MSH-1 and MSH-2, the character set from MSH-18. A line that does not begin like a segment is a
fault, because it is text behind a carriage return that was not escaped: dropping it would drop words of a report.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dicom_nodes.hl7 import charset as charsets
from dicom_nodes.hl7.escapes import Delimiters, unescape
from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place
from dicom_nodes.model.report import AckCode
from dicom_nodes.model.report_text import control_character

_LINE = re.compile(rb"([^\r]*)(\r\n|\r|$)")
_LINE_OF_LF = re.compile(rb"([^\n]*)(\n|$)")
_NAME = re.compile(rb"[A-Z][A-Z0-9]{2}")
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
        return self._decoded(self.raw)

    def component(self, number: int, subcomponent: int = 1) -> str:
        """A component's subcomponent (both from 1), stripped; absent, empty and HL7's null `""` are all empty."""
        parts = _split(self.raw, self.delimiters.component)
        part = parts[number - 1] if number <= len(parts) else b""
        inner = _split(part, self.delimiters.subcomponent)
        value = self._decoded(inner[subcomponent - 1]).strip() if subcomponent <= len(inner) else ""
        return "" if value == '""' else value

    def has_subcomponents(self, number: int) -> bool:
        """Whether the component is made of several subcomponents."""
        parts = _split(self.raw, self.delimiters.component)
        return number <= len(parts) and len(_split(parts[number - 1], self.delimiters.subcomponent)) > 1

    def _decoded(self, value: bytes) -> str:
        text = charsets.decode(unescape(value, self.delimiters, self.place), self.charset, self.place)
        if control := control_character(text):
            raise Hl7Fault(self.place, f"holds the control character {control}", ErrorCode.DATA_TYPE)
        return text


class Segment:
    """One line of a message; `repetition` counts segments of the same name from 1."""

    def __init__(self, raw: bytes, repetition: int, delimiters: Delimiters, charset: str) -> None:
        self.raw = raw
        self.name = raw[:3].decode("ascii")
        self.repetition = repetition
        self._delimiters = delimiters
        self._charset = charset
        self._fields: list[bytes] | None = None

    def place(self, field: int | None = None) -> Place:
        """Where a field of this segment is, for a fault."""
        return Place(self.name, field, self.repetition)

    def fault(self, field: int, words: str, code: ErrorCode) -> Hl7Fault:
        """A fault at a field of this segment."""
        return Hl7Fault(self.place(field), words, code)

    def repetitions(self, field: int) -> list[Field]:
        """The repetitions of a field, numbered as the standard does (MSH-1 is the separator itself)."""
        raw = self._raw_field(field)
        pieces = _split(raw, self._delimiters.repetition) if raw else []
        return [Field(piece, self.place(field), self._delimiters, self._charset) for piece in pieces]

    def first(self, field: int) -> Field:
        """The first repetition; an empty one when the field is absent."""
        found = self.repetitions(field)
        return found[0] if found else Field(b"", self.place(field), self._delimiters, self._charset)

    def value(self, field: int, component: int = 1) -> str:
        """A component of the first repetition; empty when absent."""
        return self.first(field).component(component)

    def _raw_field(self, number: int) -> bytes:
        if self._fields is None:
            self._fields = self.raw.split(self._delimiters.field)
        index = number - 1 if self.name == "MSH" else number
        return self._fields[index] if 0 < index < len(self._fields) else b""


class Message:
    """A parsed message; `bytes(message)` is what was parsed."""

    def __init__(self, raw: bytes) -> None:
        """Split into segments.

        Raises:
            Hl7Fault: no MSH, unusable delimiters, a line that is no segment, a character set we do not read.
        """
        self.delimiters = _delimiters(raw)
        lines = _LINE if b"\r" in raw else _LINE_OF_LF
        self._lines = [(match[1], match[2]) for match in lines.finditer(raw) if match[0]]
        self.charset = _charset(read_header(raw))
        self.segments = tuple(self._segments())

    def __bytes__(self) -> bytes:
        return b"".join(line + end for line, end in self._lines)

    @property
    def header(self) -> Segment:
        """The MSH segment."""
        return self.segments[0]

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.header.value(10)

    def named(self, name: str) -> Sequence[Segment]:
        """All segments of this name, in order."""
        return [segment for segment in self.segments if segment.name == name]

    def _segments(self) -> Iterator[Segment]:
        counts: dict[bytes, int] = {}
        for number, (line, _) in enumerate(self._lines, 1):
            if not line.strip():
                continue
            name, behind = line[:3], line[3:4]
            if not _NAME.fullmatch(name) or behind not in {b"", self.delimiters.field}:
                words = (
                    f"line {number} does not begin with a segment name; "
                    "was a carriage return left unescaped in the segment before it?"
                )
                previous = self._lines[max(0, number - 2)][0][:3].decode("ascii", "replace")
                place = Place(previous if previous.isalnum() else "MSH")
                raise Hl7Fault(place, words, ErrorCode.SEGMENT_SEQUENCE)
            counts[name] = counts.get(name, 0) + 1
            yield Segment(line, counts[name], self.delimiters, self.charset)


def read_header(raw: bytes) -> Segment:
    """The MSH segment alone, its values as ASCII: enough to answer a message that is otherwise unreadable.

    Raises:
        Hl7Fault: there is no MSH segment.
    """
    delimiters = _delimiters(raw)
    return Segment(re.split(rb"[\r\n]", raw, maxsplit=1)[0], 1, delimiters, "ASCII")


def _split(raw: bytes, delimiter: bytes) -> list[bytes]:
    return raw.split(delimiter) if delimiter else [raw]


def _delimiters(raw: bytes) -> Delimiters:
    if raw[:3] != b"MSH" or len(raw) < 8:
        raise Hl7Fault(MSH, "the message does not begin with an MSH segment", ErrorCode.SEGMENT_SEQUENCE, AckCode.AR)
    separator = raw[3:4]
    msh_2 = re.split(rb"[\r\n]", raw[4:], maxsplit=1)[0].split(separator)[0]
    marks = [bytes([mark]) for mark in msh_2]
    usable = all(mark.isascii() and not mark.isalnum() and mark > b" " for mark in [separator, *marks])
    if not usable or not 1 <= len(marks) <= 5 or len({separator, *marks}) != len(marks) + 1:
        raise Hl7Fault(Place("MSH", 2), "delimiters cannot be told apart", ErrorCode.DATA_TYPE, AckCode.AR)
    component, repetition, escape, subcomponent = [*marks, b"", b"", b""][:4]
    return Delimiters(separator, component, repetition, escape, subcomponent)


def _charset(header: Segment) -> str:
    named = [repetition.component(1) for repetition in header.repetitions(18)]
    if len(set(named)) > 1:
        raise Hl7Fault(
            charsets.MSH_18, "several character sets in one message are not supported", ErrorCode.TABLE_VALUE
        )
    declared = named[0] if named else ""
    charsets.codec_of(declared)
    return declared
