"""What an ORU^R01 says, read without the node's own parser (HL7 v2.5.1 ch. 2.7 escapes)."""

import re

_ESCAPES = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\", ".br": "\n", "X0D": "\r", "X0A": "\n"}


def segments(message: bytes) -> list[list[str]]:
    """The segments of a UTF-8 message as lists of raw fields."""
    return [segment.split("|") for segment in message.decode("utf-8").split("\r") if segment]


def field(message: bytes, name: str, number: int) -> str:
    """A raw field of the first segment with this name (MSH not meant), empty when it is not there."""
    for fields in segments(message):
        if fields[0] == name:
            return fields[number] if len(fields) > number else ""
    return ""


def report_text(message: bytes) -> str:
    """The text of the OBX segments of type TX, FT or ST, in order."""
    texts = []
    for fields in segments(message):
        if fields[0] == "OBX" and fields[2] in {"TX", "FT", "ST"}:
            texts += [_unescaped(part) for part in fields[5].split("~")]
    return "\n".join(texts)


def _unescaped(text: str) -> str:
    return re.sub(r"\\([^\\]*)\\", lambda match: _ESCAPES[match.group(1)], text)
