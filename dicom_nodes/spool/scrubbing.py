"""How far the spool was read again, and which of its objects are damaged, in the tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, FromClause, Row, delete, insert, select

from dicom_nodes.flows.scrub import Pass
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database
from dicom_nodes.spool import tables
from dicom_nodes.spool.instances import place_columns, stored_instance
from dicom_nodes.spool.location import Place, SegmentLife, place_of
from dicom_nodes.spool.wanted import PLACED, in_life

_NOTHING = Place(SegmentLife(0, 0), 0)


@dataclass(frozen=True, slots=True)
class DamagedObject:
    """A damaged object as a person needs it."""

    location: str
    noticed_at: datetime
    study_instance_uid: str | None
    sop_instance_uid: str
    is_quarantined: bool
    archived_at: datetime | None
    """When the trust's archive acknowledged it; None: this may be the only copy."""


class SqlScrubbing:
    """Implements `flows.scrub.ScrubStore`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def scrubbing(self) -> Pass | None:
        with self._database.read() as connection:
            row = connection.execute(select(tables.scrubbing)).one_or_none()
        if row is None:
            return None
        last = Place(SegmentLife(row.segment, 0), row.offset)
        return Pass(row.begun_at, None if last == _NOTHING else last.location, row.is_done)

    def remember(self, now: Pass) -> None:
        place = _NOTHING if now.last is None else place_of(now.last)
        with self._database.write() as connection:
            connection.execute(delete(tables.scrubbing))
            connection.execute(
                insert(tables.scrubbing).values(
                    id=1, begun_at=now.begun_at, segment=place.life.number, offset=place.offset, is_done=now.is_done
                )
            )

    def objects_behind(self, location: str | None, limit: int) -> Sequence[str]:
        last = _NOTHING if location is None else place_of(location)
        places: list[Place] = []
        with self._database.read() as connection:
            for table in PLACED:
                order = (table.c.segment, table.c.offset)
                rows = connection.execute(
                    select(table.c.segment, table.c.epoch, table.c.offset)
                    .where(
                        (table.c.segment > last.life.number)
                        | (table.c.segment == last.life.number) & (table.c.offset > last.offset)
                    )
                    .order_by(*order)
                    .limit(limit)
                )
                places += [Place(SegmentLife(row.segment, row.epoch), row.offset) for row in rows]
        places.sort(key=lambda place: (place.life.number, place.offset))
        return [place.location for place in places[:limit]]

    def leads_to(self, location: str) -> bool:
        statements = [select(table.c.segment).where(_at(table, location)) for table in PLACED]
        with self._database.read() as connection:
            return any(connection.execute(statement).first() is not None for statement in statements)

    def damaged(self) -> frozenset[str]:
        with self._database.read() as connection:
            return frozenset(map(_location, connection.execute(select(tables.damaged_object))))

    def mark_damaged(self, location: str) -> None:
        table = tables.damaged_object
        with self._database.write() as connection:
            if connection.execute(select(table.c.segment).where(_at(table, location))).first() is None:
                connection.execute(insert(table).values(noticed_at=self._clock(), **place_columns(location)))

    def strike_off(self, location: str) -> None:
        if location in self.damaged():
            with self._database.write() as connection:
                connection.execute(delete(tables.damaged_object).where(_at(tables.damaged_object, location)))

    def described_damage(self) -> Sequence[DamagedObject]:
        """Every damaged object, whose it is and whether the archive has it."""
        with self._database.read() as connection:
            rows = connection.execute(select(tables.damaged_object).order_by(tables.damaged_object.c.noticed_at)).all()
            found = [_described(connection, _location(row), row.noticed_at) for row in rows]
        return [item for item in found if item is not None]


def _described(connection: Connection, location: str, noticed_at: datetime) -> DamagedObject | None:
    instance, aside = stored_instance, tables.quarantine
    kept = connection.execute(select(instance).where(_at(instance, location))).first()
    if kept is not None:
        uids = (kept.study_instance_uid, kept.sop_instance_uid)
        return DamagedObject(location, noticed_at, *uids, False, kept.archived_at)
    kept = connection.execute(select(aside).where(_at(aside, location))).first()
    if kept is None:
        return None
    return DamagedObject(location, noticed_at, kept.study_instance_uid, kept.sop_instance_uid, True, None)


def _at(table: FromClause, location: str) -> ColumnElement[bool]:
    place = place_of(location)
    return in_life(table, place.life) & (table.c.offset == place.offset)


def _location(row: Row[tuple[int, int, int, datetime]]) -> str:
    return Place(SegmentLife(row.segment, row.epoch), row.offset).location
