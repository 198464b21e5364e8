r"""Escape sequences of HL7 v2 text (HL7 v2.5.1 ch. 2.7), resolved on bytes so that `\X..\` may build a character.

What is no escape sequence stays as it stands: senders forget to escape backslashes, and no word may be lost (ADR 021).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place

LINE_BREAK = b".br"
_HIGHLIGHTING = {b"H", b"N"}
_LAYOUT = (b".in", b".ti", b".sk", b".fi", b".nf", b".ce", b".sp")
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Delimiters:
    """A message's own delimiters, from MSH-1 and MSH-2. An absent one is empty and separates nothing."""

    field: bytes = b"|"
    component: bytes = b"^"
    repetition: bytes = b"~"
    escape: bytes = b"\\"
    subcomponent: bytes = b"&"

    @property
    def msh_2(self) -> bytes:
        return self.component + self.repetition + self.escape + self.subcomponent


STANDARD = Delimiters()


def unescape(data: bytes, delimiters: Delimiters, place: Place) -> bytes:
    r"""Resolve `\F\ \S\ \T\ \R\ \E\ \X..\ \.br\`; layout commands become line breaks, highlighting goes.

    Raises:
        Hl7Fault: the text switches its character set (`\C..\`, `\M..\`).
    """
    mark = delimiters.escape
    if not mark or mark not in data:
        return data
    parts, simple = data.split(mark), _simple(delimiters)
    resolved, position = [parts[0]], 1
    while position < len(parts):
        meaning = _meaning(parts[position], simple, place) if position + 1 < len(parts) else None
        if meaning is None:
            resolved += [mark, parts[position]]
            position += 1
        else:
            resolved += [meaning, parts[position + 1]]
            position += 2
    return b"".join(resolved)


def _simple(delimiters: Delimiters) -> dict[bytes, bytes]:
    return {
        b"F": delimiters.field,
        b"S": delimiters.component,
        b"T": delimiters.subcomponent or b"&",
        b"R": delimiters.repetition or b"~",
        b"E": delimiters.escape,
        LINE_BREAK: b"\n",
    }


def _meaning(sequence: bytes, simple: Mapping[bytes, bytes], place: Place) -> bytes | None:
    """What stands between two escape characters means; None: it is no escape sequence."""
    if sequence in simple:
        return simple[sequence]
    if sequence in _HIGHLIGHTING:
        return b""
    if sequence[:1] == b"X" and len(sequence) % 2 == 1 and 1 < len(sequence) <= _LONGEST:
        return _hexadecimal(sequence[1:])
    if sequence[:1] in {b"C", b"M"} and len(sequence) in {5, 7} and _hexadecimal(sequence[1:]) is not None:
        raise Hl7Fault(place, "text that switches its character set by escape is not supported", ErrorCode.DATA_TYPE)
    return _layout(sequence)


def _hexadecimal(digits: bytes) -> bytes | None:
    try:
        return bytes.fromhex(digits.decode("ascii")) if digits.isalnum() else None
    except ValueError:
        return None


def _layout(sequence: bytes) -> bytes | None:
    """Formatting commands of FT (HL7 v2.5.1 ch. 2.7.6): `.sp` and `.ce` end a line, the others only shape it."""
    command, amount = sequence[:3], sequence[3:]
    if command not in _LAYOUT or (not amount.lstrip(b"+-").isdigit() and amount):
        return None
    if command == b".sp":
        return b"\n" * min(int(amount.lstrip(b"+-") or b"1"), 20)
    if command == b".sk":
        return b" " * min(int(amount.lstrip(b"+-") or b"1"), 20)
    return b"\n" if command == b".ce" else b""


def escape(text: str, *, line_breaks: bool = False) -> str:
    r"""Escape a value for a message with the standard delimiters.

    With `line_breaks` (data type FT) LF becomes `\.br\`; every other control character but TAB is written `\Xdd\`.
    """
    return text.translate(_ESCAPED_FT if line_breaks else _ESCAPED)


_WRITTEN = {"|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\\": "\\E\\"}
_WRITTEN |= {chr(code): f"\\X{code:02X}\\" for code in range(0x20) if code != 0x09}
_ESCAPED = str.maketrans(_WRITTEN)
_ESCAPED_FT = str.maketrans(_WRITTEN | {"\n": "\\.br\\"})
