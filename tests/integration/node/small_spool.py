"""A spool of small segments with its tables, without a node: kept, archived, evicted, crashed and started again."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dicom_nodes.encoding.digest import HeldDataSet, digest_of
from dicom_nodes.encoding.header import read_header
from dicom_nodes.flows.make_room import MakeRoom
from dicom_nodes.flows.ports import Checkpoint, no_checkpoint
from dicom_nodes.model.instance import Channel, IncomingInstance, Provenance
from dicom_nodes.rules.retention import Retention
from dicom_nodes.spool.disk import Disk
from dicom_nodes.spool.location import SegmentLife
from dicom_nodes.spool.segments import SegmentSpool
from dicom_nodes.spool.store import NodeStore, open_store

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
SEGMENT_BYTES = (1 << 20) + (64 << 10)
"""A segment counts as full once less than a megabyte is left of it: so one takes about 64 KiB."""
DAY = timedelta(days=1)


def uid_of(number: int) -> str:
    return f"1.2.826.0.1.{number}"


def study_of(number: int) -> str:
    return f"1.2.826.0.2.{number}"


def made_data_set(number: int, study: int, payload: bytes) -> bytes:
    """Instance `number` of a study, with that as its pixel data."""
    elements = (
        (0x0008, 0x0016, b"UI", CT.encode()),
        (0x0008, 0x0018, b"UI", uid_of(number).encode()),
        (0x0020, 0x000D, b"UI", study_of(study).encode()),
        (0x0020, 0x000E, b"UI", f"{study_of(study)}.1".encode()),
    )
    short = b"".join(
        struct.pack("<HH2sH", group, element, vr, len(value) + len(value) % 2) + value + b"\0" * (len(value) % 2)
        for group, element, vr, value in elements
    )
    payload += b"\0" * (len(payload) % 2)
    return short + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, len(payload)) + payload


@dataclass
class Clock:
    now: datetime = datetime(2026, 11, 27, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class RoomySpool(SegmentSpool):
    """A spool on a disk of which nobody else writes."""

    pretended_bytes: int | None = None

    def free_bytes(self) -> int:
        return super().free_bytes() if self.pretended_bytes is None else self.pretended_bytes


@dataclass
class SmallSpool:
    """Spool, tables and upkeep of a node's data directory, in this process; `restart` opens them anew."""

    folder: Path
    url: str
    disk: Disk = field(default_factory=Disk)
    checkpoint: Checkpoint = no_checkpoint
    clock: Clock = field(default_factory=Clock)
    policy: Retention = field(default_factory=lambda: Retention(30 * DAY, timedelta(hours=1), 0, 0))
    grace_s: float = 0.0
    segment_bytes: int = SEGMENT_BYTES

    def __post_init__(self) -> None:
        self._open()

    def _open(self) -> None:
        self.store: NodeStore = open_store(self.url, self.clock, "PACS", self._passed)
        self.spool = RoomySpool(
            self.folder / "spool", segment_bytes=self.segment_bytes, disk=self.disk, checkpoint=self._passed
        )
        self.store.catalogue.recover(self.spool)
        self.full: list = []  # type: ignore[type-arg]
        self.make_room: MakeRoom[SegmentLife] = MakeRoom(
            self.store.eviction, self.spool, self.policy, self.clock, self.store.catalogue.note_surplus,
            grace_s=self.grace_s, checkpoint=self._passed,
        )  # fmt: skip

    def _passed(self, step: str) -> None:
        self.checkpoint(step)

    def close(self) -> None:
        self.spool.close()
        self.store.database.dispose()

    def restart(self) -> None:
        """As after kill -9: nothing that was in memory is known any more."""
        self.close()
        self._open()

    def keep(
        self, number: int, study: int, payload: bytes, channel: Channel = Channel.ACQUIRED, *, commit: bool = True
    ) -> str:
        """Keep an instance; returns its digest."""
        data_set = made_data_set(number, study, payload)
        provenance = Provenance("RXN", channel, "CT1", self.clock())
        incoming = IncomingInstance(
            CT, uid_of(number), EXPLICIT_LITTLE_ENDIAN, HeldDataSet(data_set), provenance, "association"
        )
        spooled = self.spool.keep(incoming, read_header(data_set, EXPLICIT_LITTLE_ENDIAN).qualified("RXN", "RXN"))
        if commit:
            self.store.catalogue.committer.commit_now([spooled])
        return digest_of(data_set)

    def quarantine(self, number: int, study: int, payload: bytes) -> str:
        """Keep something aside; returns its location."""
        data_set = made_data_set(number, study, payload)
        provenance = Provenance("RXN", Channel.ACQUIRED, "CT1", self.clock())
        incoming = IncomingInstance(
            CT, uid_of(number), EXPLICIT_LITTLE_ENDIAN, HeldDataSet(data_set), provenance, "association"
        )
        aside = self.spool.quarantine(incoming, study_of(study), "odd")
        self.store.catalogue.note_quarantined(aside)
        return aside.location

    def vouch(self) -> None:
        self.full = self.store.catalogue.vouch_for([*self.full, *self.spool.full()])

    def archive(self, study: int) -> None:
        """The study settles, and the archive acknowledges all of it."""
        self.store.studies.settle(study_of(study))
        waiting = self.store.studies.instances_to_archive(study_of(study))
        self.store.studies.mark_archived([item.sop_instance_uid for item in waiting])
        self.clock.now += timedelta(seconds=2)
        job = self.store.jobs.lease(["archive"], lease_s=60)
        while job is not None:
            self.store.studies.finish_archiving(job)
            job = self.store.jobs.lease(["archive"], lease_s=60)

    def upkeep(self) -> None:
        self.vouch()
        self.make_room()

    def location(self, number: int) -> str | None:
        found = self.store.catalogue.find_instance(uid_of(number))
        assert found is not None, "an instance is not known any more"
        return found.location

    def files(self) -> int:
        return len(list((self.folder / "spool").rglob("*.seg")))


def fill(spool: SmallSpool, study: int, count: int, first: int, payload: Callable[[int], bytes]) -> dict[int, str]:
    """Keep so many instances of a study; number → digest."""
    return {number: spool.keep(number, study, payload(number)) for number in range(first, first + count)}
