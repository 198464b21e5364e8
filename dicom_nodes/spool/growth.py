"""Write a batch of new instances into the catalogue's rows: a few statements a batch, however many instances it has.

Counts of study and series grow with the rows of their instances in one transaction. What is there already is passed
over; what is there but was evicted gets its place again; what is there with other content is returned, for it must be
shown to a person.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, insert, select, tuple_, update

from dicom_nodes.foundation.database import portions
from dicom_nodes.model.instance import Channel, SpooledInstance
from dicom_nodes.spool import tables
from dicom_nodes.spool.catalogue_rows import filled_in, series_row, study_row
from dicom_nodes.spool.instances import location_in, place_columns, write_instances
from dicom_nodes.spool.search_entries import index_studies


@dataclass(frozen=True, slots=True)
class Growth:
    """What a batch did."""

    acquired_studies: tuple[str, ...]
    """Studies that grew by acquired instances."""
    second_contents: tuple[SpooledInstance, ...]
    """Instances whose UID has other content here."""
    repeats: tuple[SpooledInstance, ...]
    """Instances that are here already, in another place: nothing leads to these ones."""


def add_instances(connection: Connection, batch: Sequence[SpooledInstance]) -> Growth:
    """Add what is new of the batch, and give what was evicted its place again."""
    sorted_out = _sorted_out(connection, batch)
    fresh = sorted_out.fresh
    _take_back(connection, sorted_out.evicted)
    acquired = {s.header.study_instance_uid for s in fresh if s.provenance.channel is Channel.ACQUIRED}
    growth = Growth(tuple(sorted(acquired)), tuple(sorted_out.second), tuple(sorted_out.repeats))
    if not fresh:
        return growth
    studies = _studies(connection, fresh)
    series = _series_growth(connection, fresh)
    for spooled in fresh:
        studies[spooled.header.study_instance_uid].take(spooled)
    for study in studies.values():
        study.series_added = series.added_to(study.uid)
    _write_studies(connection, list(studies.values()))
    _write_series(connection, series)
    write_instances(connection, fresh)
    index_studies(connection, list(studies))
    return growth


@dataclass(frozen=True, slots=True)
class _SortedOut:
    """A batch against what is here: new; known but evicted; known in another place; known with other content.

    What is known in the very place is in none of them.
    """

    fresh: list[SpooledInstance]
    evicted: list[SpooledInstance]
    repeats: list[SpooledInstance]
    second: list[SpooledInstance]


def _sorted_out(connection: Connection, batch: Sequence[SpooledInstance]) -> _SortedOut:
    known = _known(connection, [item.header.sop_instance_uid for item in batch])
    found = _SortedOut([], [], [], [])
    for item in batch:
        uid = item.header.sop_instance_uid
        if uid not in known:
            found.fresh.append(item)
        else:
            digest, location = known[uid]
            if digest != item.digest:
                found.second.append(item)
                continue
            if location is not None:
                if location != item.location:
                    found.repeats.append(item)
                continue
            found.evicted.append(item)
        known[uid] = (item.digest, item.location)
    return found


def _known(connection: Connection, sop_instance_uids: Sequence[str]) -> dict[str, tuple[str, str | None]]:
    """SOP Instance UID → digest, location."""
    column = tables.instance.c
    known: dict[str, tuple[str, str | None]] = {}
    for uids in portions(sop_instance_uids):
        rows = connection.execute(
            select(column.sop_instance_uid, column.digest, column.segment, column.epoch, column.offset).where(
                column.sop_instance_uid.in_(uids)
            )
        )
        known.update((row.sop_instance_uid, (row.digest, location_in(row))) for row in rows)
    return known


def _take_back(connection: Connection, evicted: Sequence[SpooledInstance]) -> None:
    """Lead to these places again; to queries and revisions nothing changes, and the time to keep them begins again."""
    study, instance = tables.study, tables.instance
    for item in evicted:
        connection.execute(
            update(instance)
            .where(instance.c.sop_instance_uid == item.header.sop_instance_uid)
            .values(**place_columns(item.location))
        )
    came: dict[str, datetime] = {}
    for item in evicted:
        uid, at = item.header.study_instance_uid, item.provenance.received_at
        came[uid] = max(at, came.get(uid, at))
    for uid in sorted(came):
        last = case((study.c.last_arrival < came[uid], came[uid]), else_=study.c.last_arrival)
        connection.execute(
            update(study).where(study.c.study_instance_uid == uid).values(evicted_at=None, last_arrival=last)
        )


class _Study:
    """A study's row as it grows by a batch."""

    def __init__(self, uid: str, row: Mapping[str, Any] | None) -> None:
        self.uid, self.is_new = uid, row is None
        self._row = dict(row) if row is not None else None
        self._changed: dict[str, Any] = {}
        self._modalities: set[str] = set()
        self._said: object = None
        self._count = self.series_added = 0

    def take(self, spooled: SpooledInstance) -> None:
        """Grow by one instance."""
        header, provenance = spooled.header, spooled.provenance
        if self._row is None:
            self._row = study_row(spooled)
        said = _of_patient_and_study(spooled)
        if said != self._said:
            self._said = said
            self._change(filled_in(self._row, spooled))
        if provenance.received_at > self._row["last_arrival"]:
            self._change({"last_arrival": provenance.received_at})
        if self._row["evicted_at"] is not None:
            self._change({"evicted_at": None})
        if provenance.channel is Channel.ACQUIRED and not self._row["growing"]:
            self._change({"growing": True})
        self._modalities.add(header.attributes.get("Modality", ""))
        self._count += 1

    def written(self) -> dict[str, Any]:
        """The whole new row, or what changed of the old one."""
        assert self._row is not None
        known = {part for part in self._row["modalities"].split("\\") if part}
        grown = {
            "modalities": _between_backslashes(known | self._modalities),
            "series_count": self._row["series_count"] + self.series_added,
            "instance_count": self._row["instance_count"] + self._count,
        }
        return (self._row if self.is_new else self._changed) | grown

    def _change(self, values: Mapping[str, Any]) -> None:
        assert self._row is not None
        self._row.update(values)
        self._changed.update(values)


def _of_patient_and_study(spooled: SpooledInstance) -> object:
    """Equal for instances that say the same of patient and study, as nearly all of one study do."""
    header, found = spooled.header, spooled.header.attributes
    return (
        header.patient_id, header.patient_id_issuer, header.nhs_number, header.birth_date, header.accession_number,
        header.accession_issuer, header.study_time, header.exam_code, found.get("PatientName"),
        found.get("PatientBirthDate"), found.get("PatientSex"), found.get("StudyDate"), found.get("StudyTime"),
        found.get("StudyDescription"),
    )  # fmt: skip


def _studies(connection: Connection, fresh: Sequence[SpooledInstance]) -> dict[str, _Study]:
    column = tables.study.c.study_instance_uid
    wanted = sorted({item.header.study_instance_uid for item in fresh})
    rows: dict[str, Mapping[str, Any]] = {}
    for uids in portions(wanted):
        found = connection.execute(select(tables.study).where(column.in_(uids)).order_by(column).with_for_update())
        rows.update({row.study_instance_uid: dict(row._mapping) for row in found})
    return {uid: _Study(uid, rows.get(uid)) for uid in wanted}


def _write_studies(connection: Connection, studies: Sequence[_Study]) -> None:
    new = [study.written() for study in studies if study.is_new]
    if new:
        connection.execute(insert(tables.study), new)
    for study in studies:
        if not study.is_new:
            here = tables.study.c.study_instance_uid == study.uid
            connection.execute(update(tables.study).where(here).values(**study.written()))


@dataclass(frozen=True, slots=True)
class _SeriesGrowth:
    """How the series of a batch grow, by (study, series)."""

    first: Mapping[tuple[str, str], SpooledInstance]
    counts: Mapping[tuple[str, str], int]
    known: frozenset[tuple[str, str]]

    def added_to(self, study_instance_uid: str) -> int:
        """How many series are new in the study."""
        return sum(
            1 for study, series in self.counts if study == study_instance_uid and (study, series) not in self.known
        )


def _series_growth(connection: Connection, fresh: Sequence[SpooledInstance]) -> _SeriesGrowth:
    first: dict[tuple[str, str], SpooledInstance] = {}
    counts: dict[tuple[str, str], int] = {}
    for item in fresh:
        key = (item.header.study_instance_uid, item.header.series_instance_uid)
        first.setdefault(key, item)
        counts[key] = counts.get(key, 0) + 1
    column = tables.series.c
    known: set[tuple[str, str]] = set()
    for keys in portions(sorted(counts)):
        found = connection.execute(
            select(column.study_instance_uid, column.series_instance_uid).where(
                tuple_(column.study_instance_uid, column.series_instance_uid).in_(keys)
            )
        )
        known.update((row.study_instance_uid, row.series_instance_uid) for row in found)
    return _SeriesGrowth(first, counts, frozenset(known))


def _write_series(connection: Connection, growth: _SeriesGrowth) -> None:
    new = [
        series_row(growth.first[key].header) | {"instance_count": count}
        for key, count in growth.counts.items()
        if key not in growth.known
    ]
    if new:
        connection.execute(insert(tables.series), new)
    grown = [
        {"of_study": study, "of_series": series, "more": growth.counts[study, series]} for study, series in growth.known
    ]
    if grown:
        series = tables.series
        here = (series.c.study_instance_uid == bindparam("of_study")) & (
            series.c.series_instance_uid == bindparam("of_series")
        )
        more = series.c.instance_count + bindparam("more")
        connection.execute(update(series).where(here).values(instance_count=more), grown)


def _between_backslashes(modalities: Iterable[str]) -> str:
    present = sorted(modality for modality in modalities if modality)
    return "\\" + "\\".join(present) + "\\" if present else ""
