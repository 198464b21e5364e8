"""What of a segment is still wanted: how much room the records take that rows lead to, and which nothing leads to."""

import threading

from sqlalchemy import ColumnElement, Connection, FromClause, Table, func, select, update

from dicom_nodes.spool import tables
from dicom_nodes.spool.location import SegmentLife, place_of
from dicom_nodes.spool.record import PAGE_BYTES

PLACED = (tables.instance, tables.quarantine)
"""The tables that lead into the spool."""


def in_life(table: FromClause, life: SegmentLife) -> ColumnElement[bool]:
    """Whether a row that has a place leads to this life."""
    return (table.c.segment == life.number) & (table.c.epoch == life.epoch)


def wanted_bytes(connection: Connection, life: SegmentLife) -> int:
    """The room that the wanted records of this life take; 0 exactly when nothing leads to any of them."""
    return sum(
        int(
            connection.execute(
                select(func.coalesce(func.sum(footprint_of(table)), 0)).where(in_life(table, life))
            ).scalar_one()
        )
        for table in PLACED
    )


def recount(connection: Connection, life: SegmentLife) -> int:
    """Write down again what of this life is wanted, in the transaction that changed it; returns it."""
    here = (tables.whole_segment.c.segment == life.number) & (tables.whole_segment.c.epoch == life.epoch)
    wanted = wanted_bytes(connection, life)
    connection.execute(update(tables.whole_segment).where(here).values(wanted_bytes=wanted))
    return wanted


def footprint_of(table: Table) -> ColumnElement[int]:
    """What the record of each row of one of `PLACED` takes in its segment, nearly: its pages and one for its head."""
    pages: ColumnElement[int] = (table.c.size_bytes + (2 * PAGE_BYTES - 1)) // PAGE_BYTES
    return pages * PAGE_BYTES


class SurplusRecords:
    """Records whose content is known in another place, by the life they lie in; known until the process ends.

    After a start they are found again, for no segment is vouched for in which they were not counted.
    """

    def __init__(self) -> None:
        self._offsets: dict[SegmentLife, set[int]] = {}
        self._lock = threading.Lock()

    def add(self, location: str) -> None:
        life, offset = place_of(location)
        with self._lock:
            self._offsets.setdefault(life, set()).add(offset)

    def of(self, life: SegmentLife) -> frozenset[int]:
        """The offsets of those in this life."""
        with self._lock:
            return frozenset(self._offsets.get(life, ()))

    def forget(self, life: SegmentLife) -> None:
        with self._lock:
            self._offsets.pop(life, None)
