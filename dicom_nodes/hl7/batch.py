"""Batches: `[FHS] {[BHS] {message} [BTS]} [FTS]` in one frame (HL7 v2.5.1 ch. 2.10.3), answered by a batch of answers.

Each message is a message of its own: taken or refused, and answered, for itself. What the trailers say of how many
there should be is compared with what came; a difference stands in the answer's trailer and before a person.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dicom_nodes.hl7.escapes import escape
from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place
from dicom_nodes.hl7.timestamps import write_moment

_LINE = re.compile(rb"[^\r\n]+(?:\r\n|\r|\n|$)|[\r\n]+")
_ANOTHER_MESSAGE = re.compile(rb"[\r\n]MSH[^\w\s]")
_HEADERS, _TRAILERS = (b"FHS", b"BHS"), (b"BTS", b"FTS")


@dataclass(slots=True)
class Batch:
    """What a frame with several messages, or with a batch's headers, is made of; `faults` are of the batch itself.

    `strays` are lines that belong to no message.
    """

    file_header: bytes | None = None
    batch_header: bytes | None = None
    messages: list[bytes] = field(default_factory=list)
    faults: list[Hl7Fault] = field(default_factory=list)
    strays: list[bytes] = field(default_factory=list)


def is_batch(raw: bytes) -> bool:
    """Whether the frame holds more than one message or says that it is a batch."""
    return raw[:3] in _HEADERS or _ANOTHER_MESSAGE.search(raw) is not None


def split_batch(raw: bytes) -> Batch:
    """Cut a frame into its messages, each with every byte it had."""
    batch, current = Batch(), bytearray()
    since = {b"BTS": 0, b"FTS": 0}
    for line in _LINE.findall(raw):
        name = line[:3]
        if name in {b"MSH", *_HEADERS, *_TRAILERS} and current:
            batch.messages.append(bytes(current))
            since[b"BTS"] += 1
            current.clear()
        if name == b"MSH" or current:
            current += line
        elif name in _HEADERS:
            _open(batch, name, line)
        elif name in _TRAILERS:
            _compare(batch, name, line, since[name])
            since = {b"BTS": 0, b"FTS": since[b"FTS"] + 1 if name == b"BTS" else 0}
        elif line.strip():
            batch.strays.append(line.strip())
            words = "a line that belongs to no message"
            batch.faults.append(Hl7Fault(Place("BHS"), words, ErrorCode.SEGMENT_SEQUENCE))
    if current:
        batch.messages.append(bytes(current))
    if not batch.messages:
        batch.faults.append(Hl7Fault(Place("BHS"), "the batch holds no message", ErrorCode.SEGMENT_SEQUENCE))
    return batch


def answer_batch(batch: Batch, answer: Callable[[bytes], bytes], now: datetime) -> bytes:
    """Answer every message, in order, between headers that refer to those that came."""
    answers = [answer(message) for message in batch.messages]
    words = "; ".join(str(fault) for fault in batch.faults)
    lines = [_header(b"BHS", batch.batch_header, answers, now)]
    if batch.file_header is not None:
        lines.insert(0, _header(b"FHS", batch.file_header, answers, now))
    trailer = [f"BTS|{len(answers)}" + (f"|{escape(words)}" if words else "")]
    if batch.file_header is not None:
        trailer.append("FTS|1")
    begin = "".join(f"{line}\r" for line in lines).encode("ascii", "replace")
    end = "".join(f"{line}\r" for line in trailer).encode("ascii", "replace")
    return begin + b"".join(answers) + end


def _open(batch: Batch, name: bytes, line: bytes) -> None:
    """The first header of its kind is answered; messages of several batches in one file are counted together."""
    if name == b"FHS":
        batch.file_header = batch.file_header or line
    else:
        batch.batch_header = batch.batch_header or line


def _compare(batch: Batch, name: bytes, line: bytes, found: int) -> None:
    """BTS-1 counts the messages of its batch, FTS-1 the batches of the file."""
    stated = line.strip().split(line[3:4])[1].strip() if len(line.strip()) > 3 else b""
    if not stated or (stated.isdigit() and int(stated[:9]) == found):
        return
    words = f"says {int(stated[:9])}, found {found}" if stated.isdigit() else "expected a number"
    batch.faults.append(Hl7Fault(Place(name.decode(), 1), words, ErrorCode.DATA_TYPE))


def _header(name: bytes, came: bytes | None, answers: Sequence[bytes], now: datetime) -> str:
    """A header with sender and receiver changed over, which refers to the control id of the one that came (BHS-12)."""
    fields = [_plain(piece) for piece in came.strip().split(came[3:4])] if came else []
    said = dict(enumerate(fields, 1))
    own_id = hashlib.sha256(now.isoformat().encode() + b"".join(answers)).hexdigest()[:20]
    values = {
        2: "^~\\&",
        3: said.get(5, "") or "READACROSS",
        4: said.get(6, ""),
        5: said.get(3, ""),
        6: said.get(4, ""),
        7: write_moment(now),
        9: said.get(9, ""),
        11: own_id,
        12: said.get(11, ""),
    }
    return name.decode() + "|" + "|".join(values.get(number, "") for number in range(2, 13))


def _plain(piece: bytes) -> str:
    """A header's value fit to be sent back; what cannot be read is left out."""
    text = piece.decode("ascii", "replace")
    return text if text.isprintable() and "\ufffd" not in text and "|" not in text else ""
