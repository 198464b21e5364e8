"""Segments that another process writes to: lent by the process that has the ring, each with its locked file.

Only the lender takes free segments, makes new ones and lets go of old ones. It keeps the file of what it has lent open,
and so locked, whatever becomes of the borrower.
"""

import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dicom_nodes.spool.disk import Disk
from dicom_nodes.spool.location import SegmentLife
from dicom_nodes.spool.ring import SegmentRing
from dicom_nodes.spool.segment import Segment


@dataclass(frozen=True, slots=True)
class Loan:
    """How far a segment is written; its file travels beside it."""

    number: int
    epoch: int
    tail: int
    sequence: int
    offsets: frozenset[int]
    may_be_vouched_for: bool
    capacity_bytes: int
    is_condemned: bool
    is_full: bool = False
    """Whether it takes no more in this life."""

    @classmethod
    def of(cls, segment: Segment, *, is_full: bool = False) -> "Loan":
        return cls(
            segment.number,
            segment.epoch,
            segment.tail,
            segment.sequence,
            frozenset(segment.offsets),
            segment.may_be_vouched_for,
            segment.capacity_bytes,
            segment.is_condemned,
            is_full,
        )

    def tell(self, segment: Segment) -> None:
        """Have `segment`, of the same file, stand where this one does."""
        segment.resume(self.epoch, self.tail, self.sequence, self.offsets, may_be_vouched_for=self.may_be_vouched_for)
        segment.capacity_bytes, segment.is_condemned = self.capacity_bytes, self.is_condemned


class Loans:
    """What one borrower has; safe for threads."""

    def __init__(self, ring: SegmentRing) -> None:
        self._ring = ring
        self._lent: dict[SegmentLife, tuple[Segment, int]] = {}
        """Beside each a descriptor that was opened before its borrower wrote: see `sync`."""
        self._lock = threading.Lock()
        self._is_closed = False

    def lend(self, room_bytes: int) -> tuple[Loan, int]:
        """A segment with so much room, and a descriptor of it that stays ours: send it, do not close it.

        Raises:
            OSError: there is none, and none can be made; or nothing is lent any more.
        """
        segment = self._ring.lease(room_bytes)
        try:
            witness = os.open(segment.file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._ring.give_back(segment)
            raise
        with self._lock:
            if not self._is_closed:
                self._lent[segment.life] = segment, witness
                return Loan.of(segment), segment.descriptor
        os.close(witness)
        self._ring.give_back(segment)
        raise OSError("nothing is lent to a process that has ended")

    def take_back(self, loan: Loan) -> None:
        """The borrower is done with it."""
        with self._lock:
            segment, witness = self._lent.pop(SegmentLife(loan.number, loan.epoch))
        os.close(witness)
        loan.tell(segment)
        self._ring.give_back(segment, is_full=loan.is_full)

    def close(self) -> None:
        """The borrower has ended: lend nothing more."""
        with self._lock:
            self._is_closed = True

    def lives(self) -> list[SegmentLife]:
        """What is lent."""
        with self._lock:
            return list(self._lent)

    def sync(self, life: SegmentLife) -> None:
        """Have what its borrower wrote durable; raises OSError also where the borrower was told so before it died.

        The kernel tells a failed write once by each opening of the file, so by the borrower's own it would say no more
        of it (it shares that with us), nor by one that is opened afterwards.
        """
        with self._lock:
            _, witness = self._lent[life]
        self._ring.sync(witness)

    def drop(self, life: SegmentLife) -> None:
        """Let go of the file of a segment that its borrower will not give back any more."""
        with self._lock:
            segment, witness = self._lent.pop(life)
        os.close(witness)
        segment.close()


class Lender(Protocol):
    """The process that has the ring, as a borrower asks it."""

    def borrow(self, room_bytes: int) -> tuple[Loan, int]:
        """A segment with that much room and a descriptor of it, now ours; raises OSError."""

    def give_back(self, loan: Loan) -> None:
        """Raises OSError where the lender is gone: then it is walked at the next start."""

    def reusable_bytes(self) -> int:
        """How much can be written to segments that the lender has."""


class BorrowedRing(SegmentRing):
    """The segments as a borrower sees them: it reads them all, and writes to those it was lent."""

    def __init__(
        self, folder: Path, segment_bytes: int, lender: Lender, *, disk: Disk | None = None, reserve_bytes: int = 0
    ) -> None:
        super().__init__(folder, segment_bytes, disk or Disk(), reserve_bytes)
        self._lender = lender

    def open(self) -> tuple[list[SegmentLife], list[str]]:
        """None of them are ours."""
        return [], []

    @property
    def reusable_bytes(self) -> int:
        return super().reusable_bytes + self._lender.reusable_bytes()

    def close(self) -> None:
        """Give back what is open."""
        with self._lock:
            lent, self._open = self._open, []
        for segment in lent:
            self._return(segment, is_full=False)
        super().close()

    def _another(self, room_bytes: int) -> Segment:
        loan, descriptor = self._lender.borrow(room_bytes)
        segment = Segment(self._disk, self._file(loan.number), descriptor, loan.number, loan.capacity_bytes)
        loan.tell(segment)
        return segment

    def _reader(self, number: int) -> int:
        """None is kept open: a grown segment that the lender lets go of would stay on the disk as long."""
        return self._open_to_read(number)

    def _seal(self, segment: Segment) -> None:
        self._return(segment, is_full=True)

    def _return(self, segment: Segment, *, is_full: bool) -> None:
        loan = Loan.of(segment, is_full=is_full)
        segment.close()
        with suppress(OSError):
            self._lender.give_back(loan)
