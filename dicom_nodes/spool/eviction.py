"""Let go of studies and segments in the tables; instances stay known, only their place is gone (ADR 051).

Only what lies in segments that are vouched for is let go of: a record that is found again after a crash would otherwise
get its place back. Every change here commits before anything is done to a segment.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, delete, func, select, update

from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database
from dicom_nodes.foundation.jobs import JobState
from dicom_nodes.model.instance import Channel
from dicom_nodes.rules.retention import StudyInSpool
from dicom_nodes.spool import tables
from dicom_nodes.spool.instances import place_columns, stored_instance
from dicom_nodes.spool.location import Place, SegmentLife, place_of
from dicom_nodes.spool.service_tables import archive_commitment
from dicom_nodes.spool.wanted import PLACED, in_life, recount

_STUDIES_AT_ONCE = 200
_ROWS = stored_instance
"""Instances with the UIDs above them and their channel."""
_NOWHERE = {"segment": None, "epoch": None, "offset": None}


class SqlEviction:
    """Implements `flows.make_room.EvictionStore`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    # -- studies ---------------------------------------------------------------------------------------------------
    def studies_in_spool(self, arrived_until: datetime) -> Iterator[StudyInSpool]:
        """Studies of which the spool has something, those that came first first."""
        study = tables.study.c
        order = (study.last_arrival, study.study_instance_uid)
        statement = select(*order, study.growing).where(study.evicted_at.is_(None), study.last_arrival <= arrived_until)
        page = statement.order_by(*order).limit(_STUDIES_AT_ONCE)
        while True:
            with self._database.read() as connection:
                rows = connection.execute(page).all()
                found = _described(connection, rows)
            yield from found
            if len(rows) < _STUDIES_AT_ONCE:
                return
            at, uid = rows[-1].last_arrival, rows[-1].study_instance_uid
            behind = (study.last_arrival > at) | (study.last_arrival == at) & (study.study_instance_uid > uid)
            page = statement.where(behind).order_by(*order).limit(_STUDIES_AT_ONCE)

    def evict(self, study_instance_uid: str, may_go: Callable[[StudyInSpool], bool]) -> int:
        """Take the study's instances their places, if it may go as it is now; returns the bytes let go of."""
        study = tables.study
        here = study.c.study_instance_uid == study_instance_uid
        with self._database.write() as connection:
            columns = (study.c.last_arrival, study.c.study_instance_uid, study.c.growing)
            rows = connection.execute(select(*columns).where(here).with_for_update()).all()
            (now,) = _described(connection, rows)
            if not may_go(now):
                return 0
            mine = _ROWS.c.study_instance_uid == study_instance_uid
            lives = connection.execute(
                select(_ROWS.c.segment, _ROWS.c.epoch).where(mine, _ROWS.c.segment.is_not(None)).distinct()
            ).all()
            uids = select(_ROWS.c.sop_instance_uid).where(mine)
            connection.execute(
                update(tables.instance).where(tables.instance.c.sop_instance_uid.in_(uids)).values(**_NOWHERE)
            )
            connection.execute(update(study).where(here).values(evicted_at=self._clock()))
            for segment, epoch in lives:
                recount(connection, SegmentLife(segment, epoch))
        return now.size_bytes

    # -- segments --------------------------------------------------------------------------------------------------
    def unwanted(self) -> Sequence[SegmentLife]:
        """Segments that are vouched for and to which nothing leads."""
        return [life for life, wanted in self._whole(0) if not wanted]

    def little_wanted(self, at_most_bytes: int) -> Sequence[SegmentLife]:
        """Segments that are vouched for and of which something is wanted, but not more than that; least first."""
        return [life for life, wanted in self._whole(at_most_bytes) if wanted]

    def wanted(self, life: SegmentLife) -> Sequence[str]:
        """Where in it something lies that is wanted."""
        with self._database.read() as connection:
            return sorted(
                Place(life, offset).location
                for table in PLACED
                for offset in connection.execute(select(table.c.offset).where(in_life(table, life))).scalars()
            )

    def move(self, life: SegmentLife, moves: Mapping[str, str]) -> Sequence[str]:
        """Lead to the copies instead, all at once; returns the copies to which nothing leads after all."""
        needless = []
        with self._database.write() as connection:
            for old, new in moves.items():
                offset = place_of(old).offset
                moved = sum(
                    connection.execute(
                        update(table).where(in_life(table, life), table.c.offset == offset).values(**place_columns(new))
                    ).rowcount
                    for table in PLACED
                )
                if not moved:
                    needless.append(new)
            recount(connection, life)
        return needless

    def is_unwanted(self, life: SegmentLife) -> bool:
        """Whether nothing leads to it, as the rows themselves say now, and it is vouched for."""
        table = tables.whole_segment
        with self._database.write() as connection:
            vouched = connection.execute(select(table.c.segment).where(_is(life)).with_for_update()).first()
            return vouched is not None and recount(connection, life) == 0

    def forget(self, life: SegmentLife) -> None:
        """It was released."""
        with self._database.write() as connection:
            connection.execute(delete(tables.whole_segment).where(_is(life)))
            damaged = tables.damaged_object
            connection.execute(delete(damaged).where(damaged.c.segment == life.number, damaged.c.epoch == life.epoch))

    def _whole(self, at_most_bytes: int) -> list[tuple[SegmentLife, int]]:
        table = tables.whole_segment.c
        with self._database.read() as connection:
            rows = connection.execute(
                select(table.segment, table.epoch, table.wanted_bytes)
                .where(table.wanted_bytes <= at_most_bytes)
                .order_by(table.wanted_bytes, table.segment)
            ).all()
        return [(SegmentLife(row.segment, row.epoch), row.wanted_bytes) for row in rows]


def _is(life: SegmentLife) -> ColumnElement[bool]:
    table = tables.whole_segment.c
    return (table.segment == life.number) & (table.epoch == life.epoch)


def _described(connection: Connection, rows: Sequence[Row[tuple[datetime, str, bool]]]) -> list[StudyInSpool]:
    """What retention is decided by, of each row's study."""
    uids = [row.study_instance_uid for row in rows]
    if not uids:
        return []
    held = _held(connection, uids)
    settled = _settled(connection, uids)
    in_use, delivered = _in_use(connection, uids)
    return [
        StudyInSpool(
            study_instance_uid=uid,
            last_arrival=row.last_arrival,
            settled_at=settled.get(uid),
            is_growing=row.growing,
            unarchived=held[uid].unarchived if uid in held else 0,
            fetched=held[uid].fetched if uid in held else 0,
            is_delivered=uid in delivered,
            is_in_use=uid in in_use,
            in_open_segments=held[uid].in_open_segments if uid in held else 0,
            size_bytes=int(held[uid].size_bytes) if uid in held else 0,
        )
        for row in rows
        for uid in (row.study_instance_uid,)
    ]


def _held(connection: Connection, uids: Sequence[str]) -> dict[str, Row[tuple[str, int, int, int, int]]]:
    instance, whole = _ROWS.c, tables.whole_segment.c
    is_acquired, is_placed = instance.channel == Channel.ACQUIRED.value, instance.segment.is_not(None)
    vouched = (whole.segment == instance.segment) & (whole.epoch == instance.epoch)

    def count(condition: ColumnElement[bool], what: Any = 1) -> Any:
        return func.coalesce(func.sum(case((condition, what), else_=0)), 0)

    rows = connection.execute(
        select(
            instance.study_instance_uid,
            count(is_acquired & instance.archived_at.is_(None)).label("unarchived"),
            count((instance.channel == Channel.FETCHED.value) & is_placed).label("fetched"),
            count(is_placed & whole.segment.is_(None)).label("in_open_segments"),
            count(is_placed, instance.size_bytes).label("size_bytes"),
        )
        .select_from(_ROWS.outerjoin(tables.whole_segment, vouched))
        .where(instance.study_instance_uid.in_(uids))
        .group_by(instance.study_instance_uid)
    ).all()
    return {row.study_instance_uid: row for row in rows}


def _settled(connection: Connection, uids: Sequence[str]) -> dict[str, datetime]:
    revision = tables.revision.c
    rows = connection.execute(
        select(revision.study_instance_uid, func.max(revision.settled_at))
        .where(revision.study_instance_uid.in_(uids))
        .group_by(revision.study_instance_uid)
    ).tuples()
    return dict(rows.all())


def _in_use(connection: Connection, uids: Sequence[str]) -> tuple[set[str], set[str]]:
    """(studies that a job or an order under way names or whose archive was asked to commit to it and has not,
    studies whose deliveries are all completed).
    """
    job, order = tables.job.c, tables.order.c
    in_use = set(
        connection.execute(select(job.key).where(job.key.in_(uids), job.state != JobState.DONE.value)).scalars()
    )
    promise = archive_commitment.c
    in_use |= set(
        connection.execute(
            select(promise.study_instance_uid).where(
                promise.study_instance_uid.in_(uids), promise.committed_at.is_(None)
            )
        ).scalars()
    )
    delivered: set[str] = set()
    undelivered: set[str] = set()
    rows = connection.execute(
        select(order.study_instance_uid, job.kind, job.state)
        .select_from(tables.order.join(tables.job, job.key == order.order_id))
        .where(order.study_instance_uid.in_(uids))
    ).all()
    for row in rows:
        is_done = row.state == JobState.DONE.value
        if not is_done:
            in_use.add(row.study_instance_uid)
        if row.kind == "deliver":
            (delivered if is_done else undelivered).add(row.study_instance_uid)
    return in_use, delivered - undelivered
