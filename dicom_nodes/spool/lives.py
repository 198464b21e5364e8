"""In which segments' lives the tables know an object, asked in steps of one segment and not of one instance."""

from sqlalchemy import Connection, Table, func, select

from dicom_nodes.spool import tables
from dicom_nodes.spool.location import SegmentLife
from dicom_nodes.spool.wanted import PLACED


def lives_led_to(connection: Connection) -> frozenset[SegmentLife]:
    """Every life to which a row leads: at most some thousands, where there may be millions of rows.

    A segment that is vouched for has its life written beside it; only the rows of the few others are read.
    """
    whole = tables.whole_segment.c
    vouched = {
        segment: (SegmentLife(segment, epoch), wanted)
        for segment, epoch, wanted in connection.execute(
            select(whole.segment, whole.epoch, whole.wanted_bytes)
        ).tuples()
    }
    lives = {life for life, wanted in vouched.values() if wanted}
    for table in PLACED:
        for segment in _segments_of(connection, table):
            if segment not in vouched:
                lives |= _lives_in(connection, table, segment)
    return frozenset(lives)


def _segments_of(connection: Connection, table: Table) -> list[int]:
    """The numbers that stand in `segment`, each found by one step down its index."""
    column = table.c.segment
    first = select(func.min(column).label("segment")).cte("of_table", recursive=True)
    following = select(func.min(column)).where(column > first.c.segment).scalar_subquery()
    steps = first.union_all(select(following).where(first.c.segment.is_not(None)))
    found = connection.execute(select(steps.c.segment).where(steps.c.segment.is_not(None)))
    return list(found.scalars())


def _lives_in(connection: Connection, table: Table, segment: int) -> set[SegmentLife]:
    epochs = connection.execute(select(table.c.epoch).where(table.c.segment == segment).distinct()).scalars()
    return {SegmentLife(segment, epoch) for epoch in epochs}
