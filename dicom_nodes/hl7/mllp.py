"""MLLP framing without I/O: bytes in, events out (HL7 v2.5.1, Minimal Lower Layer Protocol: `0x0B … 0x1C 0x0D`).

Memory is bounded: beyond `max_message_bytes` a message is thrown away while it arrives, and reported when it ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass

START, END = b"\x0b", b"\x1c\x0d"
_HEAD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Message:
    """One message, without its frame."""

    data: bytes


@dataclass(frozen=True, slots=True)
class TooLong:
    """A message was longer than allowed and was thrown away; `head` is its beginning, enough for an answer."""

    head: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes that were in no frame; they were thrown away."""

    size_bytes: int


Event = Message | TooLong | Garbage


def frame(message: bytes) -> bytes:
    """Put a message into its frame."""
    return START + message + END


class Deframer:
    """Cuts a byte stream into messages. A start byte inside a message is part of it, as only the end block ends one."""

    def __init__(self, max_message_bytes: int) -> None:
        self._limit = max_message_bytes
        self._buffer = bytearray()
        self._garbage = 0
        self._forget_message()

    def _forget_message(self) -> None:
        self._in_message, self._searched, self._head, self._discarded = False, 0, b"", 0

    @property
    def in_message(self) -> bool:
        """Whether a message has begun and not yet ended."""
        return self._in_message

    @property
    def buffered_bytes(self) -> int:
        """How many bytes are held."""
        return len(self._buffer) + len(self._head)

    def receive(self, data: bytes) -> Iterator[Event]:
        """Take bytes as they arrive, in any portions, and yield what they complete."""
        for start in range(0, len(data), self._limit):
            self._buffer += data[start : start + self._limit]
            yield from self._events()

    def finish(self) -> Iterator[Event]:
        """Say that the stream ended: what is left over is garbage."""
        left = self._garbage + self._discarded + len(self._buffer) + (len(START) if self._in_message else 0)
        self._buffer.clear()
        self._garbage = 0
        self._forget_message()
        if left:
            yield Garbage(left)

    def _events(self) -> Iterator[Event]:
        while True:
            if not self._in_message:
                if not self._skip_to_start():
                    return
                if self._garbage:
                    yield Garbage(self._garbage)
                    self._garbage = 0
            end = self._buffer.find(END, self._searched)
            if end < 0:
                self._wait()
                return
            yield self._message(end)

    def _skip_to_start(self) -> bool:
        """Drop what is in no frame; line ends between messages are harmless and not counted."""
        start = self._buffer.find(START)
        junk = self._buffer if start < 0 else self._buffer[:start]
        self._garbage += len(junk.translate(None, b"\r\n"))
        del self._buffer[: len(junk) + (start >= 0)]
        self._in_message = start >= 0
        return self._in_message

    def _message(self, end: int) -> Event:
        size = self._discarded + end
        event: Event = Message(bytes(self._buffer[:end]))
        if size > self._limit:
            event = TooLong(self._head or self._beginning(), size)
        del self._buffer[: end + len(END)]
        self._forget_message()
        return event

    def _wait(self) -> None:
        """No end yet: beyond the limit keep only what the end block could begin with."""
        if self._discarded or len(self._buffer) > self._limit + 1:
            self._head = self._head or self._beginning()
            dropped = max(0, len(self._buffer) - 1)
            self._discarded += dropped
            del self._buffer[:dropped]
        self._searched = max(0, len(self._buffer) - 1)

    def _beginning(self) -> bytes:
        return bytes(self._buffer[: min(_HEAD_BYTES, self._limit)])
