"""Where an object lies in the spool, as one opaque word for everybody else: segment, its life, offset."""

from typing import NamedTuple

from dicom_nodes.model.errors import CrashConsistency


class SegmentLife(NamedTuple):
    """A segment between two times of being used again."""

    number: int
    epoch: int


class Place(NamedTuple):
    """Where a record begins."""

    life: SegmentLife
    offset: int

    @property
    def location(self) -> str:
        """The word that `place_of` reads."""
        return f"{self.life.number:08x}-{self.life.epoch:016x}-{self.offset:012x}"


def place_of(location: str) -> Place:
    """Read a location.

    Raises:
        CrashConsistency: it is none of this spool's.
    """
    try:
        number, epoch, offset = (int(part, 16) for part in location.split("-"))
    except ValueError:
        raise CrashConsistency(f"spool object {location}: not a place in this spool") from None
    return Place(SegmentLife(number, epoch), offset)
