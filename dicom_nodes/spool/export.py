"""Take objects out of the spool as ordinary DICOM files, beside a running node or without one, even without tables.

Only reads the spool. A file is whole or not there: written under another name first, and never over other content.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from dicom_nodes.encoding.digest import digest_of
from dicom_nodes.encoding.header import read_header
from dicom_nodes.encoding.part10 import data_set_of, plain_file_meta, read_meta
from dicom_nodes.encoding.walk import DamagedDataSetError, Data
from dicom_nodes.foundation.database import Database
from dicom_nodes.model.errors import CrashConsistency, NodeError, NotInSpool
from dicom_nodes.model.instance import quarantine_id_of
from dicom_nodes.rules.ingest import is_uid
from dicom_nodes.spool import tables
from dicom_nodes.spool.instances import location_in, stored_instance
from dicom_nodes.spool.location import Place, SegmentLife, place_of
from dicom_nodes.spool.record import PAGE_BYTES, RecordHead, RecordKind, SegmentState, decode_segment_header
from dicom_nodes.spool.segment import walk_segment
from dicom_nodes.spool.stored_record import head_at, sound_data

_QUARANTINE = "quarantined"
_MAPPED_FROM_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object to be taken out: where it lies (None: evicted), and what its file is to be called."""

    location: str | None
    file: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


@dataclass(slots=True)
class Exported:
    """How it went; `problems` are lines for a person."""

    wanted: int = 0
    written: int = 0
    there_already: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        return not self.problems and self.written + self.there_already == self.wanted


class SpoolReader:
    """Reads objects of a spool folder by location; writes nothing and takes no lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "segments"
        self.unreadable: list[str] = []
        """Segments whose header says nothing: what lies in them is found by location only."""

    def data_set(self, location: str) -> Data:
        """The data set; raises CrashConsistency."""
        place = place_of(location)
        descriptor = self._opened(place.life.number)
        try:
            return sound_data(descriptor, place, head_at(descriptor, place), _MAPPED_FROM_BYTES)
        finally:
            os.close(descriptor)

    def require_current(self, location: str) -> None:
        """Make sure that what was read there is not another's: its segment was not used again meanwhile.

        Raises:
            CrashConsistency: it was.
        """
        life = place_of(location).life
        descriptor = self._opened(life.number)
        try:
            header = decode_segment_header(os.pread(descriptor, PAGE_BYTES, 0))
        finally:
            os.close(descriptor)
        if header is not None and header.epoch != life.epoch:
            raise CrashConsistency(f"spool object {location}: was let go of while it was read")

    def records(self) -> Iterator[tuple[str, RecordHead | None]]:
        """Every record that no segment's present life has overwritten: location, head (None: damaged)."""
        for file in sorted(self._folder.glob("*.seg")):
            with file.open("rb") as stream:
                page = stream.read(PAGE_BYTES)
                header = decode_segment_header(page)
                if header is None:
                    if any(page):
                        self.unreadable.append(file.name)
                    continue
                if header.state is SegmentState.LIVE:
                    life = SegmentLife(header.number, header.epoch)
                    for found in walk_segment(stream.fileno(), life.epoch):
                        yield Place(life, found.offset).location, found.head

    def _opened(self, number: int) -> int:
        try:
            return os.open(self._folder / f"{number:08x}.seg", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise CrashConsistency(f"spool segment {number:08x}: {error.strerror}") from None


def listed_instances(database: Database, study_instance_uid: str | None) -> Iterator[Wanted]:
    """The instances of a study that the tables know, or all of them."""
    instance, study = stored_instance.c, tables.study.c.study_instance_uid
    of_study = select(stored_instance).order_by(instance.sop_instance_uid)
    with database.read() as connection:
        every = connection.execute(select(study).order_by(study)).scalars().all() if study_instance_uid is None else ()
    for uid in every or (study_instance_uid,):
        with database.read() as connection:
            rows = connection.execute(of_study.where(instance.study_instance_uid == uid)).all()
        for row in rows:
            file = _instance_file(row.study_instance_uid, row.series_instance_uid, row.sop_instance_uid)
            yield Wanted(location_in(row), file, row.sop_class_uid, row.sop_instance_uid, row.transfer_syntax_uid)


def listed_quarantined(database: Database, quarantine_id: str | None) -> Iterator[Wanted]:
    """What the tables know to be in quarantine: one object, or all."""
    columns = tables.quarantine.c
    statement = select(tables.quarantine).order_by(columns.quarantine_id)
    if quarantine_id is not None:
        statement = statement.where(columns.quarantine_id == quarantine_id)
    with database.read() as connection:
        for row in connection.execute(statement).all():
            file = Path(_QUARANTINE) / f"{row.quarantine_id}.dcm"
            yield Wanted(location_in(row), file, row.sop_class_uid, row.sop_instance_uid, row.transfer_syntax_uid)


def found_in_segments(
    reader: SpoolReader, study_instance_uid: str | None, *, with_quarantined: bool, problems: list[str]
) -> Iterator[Wanted]:
    """What the segments themselves hold, whatever the tables say: all, or one study's."""
    for location, head in reader.records():
        if head is None:
            problems.append(f"{location}: the head of this object is damaged")
            continue
        try:
            meta = read_meta(head.meta, location)
            if head.kind is RecordKind.QUARANTINED:
                file = Path(_QUARANTINE) / f"{quarantine_id_of(meta.sop_instance_uid, head.digest.hex())}.dcm"
                is_wanted = with_quarantined
            else:
                header = read_header(reader.data_set(location), meta.transfer_syntax_uid)
                file = _instance_file(header.study_instance_uid, header.series_instance_uid, header.sop_instance_uid)
                is_wanted = study_instance_uid in {None, header.study_instance_uid}
        except (NodeError, DamagedDataSetError) as error:
            problems.append(f"{location}: {error}")
            continue
        if is_wanted:
            yield Wanted(location, file, meta.sop_class_uid, meta.sop_instance_uid, meta.transfer_syntax_uid)


def export(wanted: Iterable[Wanted], reader: SpoolReader, folder: Path) -> Exported:
    """Write each as a file under `folder`; what cannot be had is told, and the rest goes on."""
    done = Exported()
    for item in wanted:
        done.wanted += 1
        try:
            if item.location is None:
                raise NotInSpool
            is_new = _write(folder / item.file, item, reader, item.location)
        except (NodeError, OSError) as error:
            done.problems.append(f"{item.file}: {error}")
            continue
        done.written += is_new
        done.there_already += not is_new
    return done


def _write(file: Path, item: Wanted, reader: SpoolReader, location: str) -> bool:
    """Write the file; False when the same is there already.

    Raises:
        FileExistsError: other content is there.
        CrashConsistency: the object is damaged, or was let go of meanwhile.
    """
    data_set = memoryview(reader.data_set(location))
    if file.exists():
        with file.open("rb") as stream:
            if digest_of(data_set_of(stream.read())) == digest_of(data_set):
                return False
        raise FileExistsError("a file with other content is there; it is left as it is")
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.part")
    try:
        with partial.open("xb") as stream:
            stream.write(plain_file_meta(item.sop_class_uid, item.sop_instance_uid, item.transfer_syntax_uid))
            stream.write(data_set)
            stream.flush()
            os.fsync(stream.fileno())
        reader.require_current(location)
        os.link(partial, file)
    finally:
        partial.unlink(missing_ok=True)
    return True


def _instance_file(study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> Path:
    return Path(*map(_name, (study_instance_uid, series_instance_uid))) / f"{_name(sop_instance_uid)}.dcm"


def _name(uid: str) -> str:
    """The UID as a file name; what is none is never part of a path."""
    return uid if is_uid(uid) else f"not-a-uid-{digest_of(uid.encode())[:16]}"
