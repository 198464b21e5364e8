"""The spool when the power goes, the process is killed or the disk says no: nothing acknowledged is lost, nothing
half-kept is shown, and nothing of a segment's earlier life is taken for a live object."""

import errno
import os
import random
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_nodes.encoding.digest import digest_of
from dicom_nodes.encoding.header import read_header
from dicom_nodes.encoding.walk import EXPLICIT_VR_LITTLE_ENDIAN
from dicom_nodes.model.errors import CrashConsistency, OutOfResources
from dicom_nodes.model.instance import IncomingInstance, QuarantinedInstance
from dicom_nodes.spool.disk import Disk
from dicom_nodes.spool.location import SegmentLife, place_of
from dicom_nodes.spool.segments import SegmentSpool
from tests.peers.failing_disks import ForgetfulDisk, Stopped, WatchedDisk
from tests.synthetic.small_instances import CT, incoming_of, small_data_set, uid_of

SEGMENT_BYTES = 2 << 20
SIZES = (10, 5_000, 262_000, 300_000, 700_000, 1_500_000, 3_000_000)


@dataclass
class Ward:
    """Keeps instances in a spool and remembers what was acknowledged."""

    spool: SegmentSpool
    acknowledged: dict[str, str] = field(default_factory=dict)
    """Location → digest."""
    offered: set[str] = field(default_factory=set)
    number: int = 0

    def store(self, payload_bytes: int, *, aside: bool = False) -> None:
        """One instance, in pieces as the wire brings them; its acknowledgement is remembered."""
        arrived = self.begin(payload_bytes)
        try:
            location = self.quarantine(arrived) if aside else self.keep(arrived)
        finally:
            arrived.data_set.discard()
        self.acknowledged[location] = self.last_digest

    def begin(self, payload_bytes: int) -> IncomingInstance:
        """Bring a data set in without keeping it."""
        self.number += 1
        data_set = small_data_set(self.number, payload_bytes)
        self.last_digest = digest_of(data_set)
        self.offered.add(self.last_digest)
        draft = self.spool.draft(CT, uid_of(self.number))
        view = memoryview(data_set)
        try:
            for at in range(0, len(view), 100_000):
                draft.write(view[at : at + 100_000])
        except OutOfResources:
            draft.discard()
            raise
        return IncomingInstance(**{**_fields(incoming_of(self.number, b"")), "data_set": draft})

    def keep(self, arrived: IncomingInstance) -> str:
        header = read_header(arrived.data_set.content(), EXPLICIT_VR_LITTLE_ENDIAN).qualified("RXN", "RXN")
        return self.spool.keep(arrived, header).location

    def quarantine(self, arrived: IncomingInstance) -> str:
        return self.spool.quarantine(arrived, None, "not wanted").location

    def let_go_of_a_segment(self) -> None:
        """Evict everything in one full segment and use it again."""
        for full in self.spool.full():
            self.acknowledged = {at: d for at, d in self.acknowledged.items() if place_of(at).life != full.life}
            self.spool.release(full.life)
            return


def _fields(incoming: IncomingInstance) -> dict[str, object]:
    return {name: getattr(incoming, name) for name in IncomingInstance.__dataclass_fields__}


def opened(folder: Path, disk: Disk | None = None) -> SegmentSpool:
    return SegmentSpool(folder, segment_bytes=SEGMENT_BYTES, disk=disk)


def require_sound(ward: Ward, folder: Path, disk: Disk | None = None) -> SegmentSpool:
    """A new start finds everything acknowledged, as it was, and nothing that was never offered."""
    spool = opened(folder, disk)
    found = {item.location: item.digest for item in spool.unlisted(lambda _life: False, lambda _life: ())}
    assert ward.acknowledged.items() <= found.items()
    for location, digest in found.items():
        assert digest in ward.offered
        assert digest_of(spool.read_data_set(location)) == digest
    assert spool.damaged == set()
    return spool


STEPS = st.one_of(
    st.tuples(st.just("store"), st.sampled_from(SIZES)),
    st.tuples(st.just("aside"), st.sampled_from(SIZES[:4])),
    st.tuples(st.just("give up"), st.sampled_from(SIZES)),
    st.tuples(st.just("two at once"), st.sampled_from(SIZES)),
    st.tuples(st.just("let go"), st.just(0)),
)


@settings(max_examples=40, deadline=None)
@given(
    rounds=st.lists(st.lists(STEPS, max_size=12), min_size=1, max_size=3),
    last=st.sampled_from(SIZES),
    seed=st.integers(0, 2**32),
)
def test_a_power_cut_at_any_time_loses_nothing_acknowledged(
    rounds: list[list[tuple[str, int]]], last: int, seed: int
) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        folder, disk = Path(place) / "0", ForgetfulDisk()
        folder.mkdir()
        ward = Ward(opened(folder / "spool", disk))
        for number, steps in enumerate(rounds, start=1):
            for step, size in steps:
                take(ward, step, size)
            hanging = ward.begin(last)
            if chance.random() < 0.7:  # the power goes between the last write and the sync that was to follow
                disk.sync = lambda _descriptor: (_ for _ in ()).throw(Stopped)  # type: ignore[method-assign]
                with pytest.raises(Stopped):
                    ward.keep(hanging)
            after = Path(place) / str(number)
            disk.cut_power(folder, after, lambda: chance.choice((0, 0, 8, 8, chance.randrange(9))))
            folder, disk = after, ForgetfulDisk()
            ward.spool = moved(ward, folder / "spool", disk)


def moved(ward: Ward, folder: Path, disk: Disk) -> SegmentSpool:
    ward.spool.close()
    return require_sound(ward, folder, disk)


def take(ward: Ward, step: str, size: int) -> None:
    if step == "store":
        ward.store(size)
    elif step == "aside":
        ward.store(size, aside=True)
    elif step == "give up":
        ward.begin(size).data_set.discard()
    elif step == "two at once":
        other = ward.begin(size)
        digest = ward.last_digest
        ward.store(SIZES[2])
        ward.acknowledged[ward.keep(other)] = digest
    else:
        ward.let_go_of_a_segment()


def a_day(ward: Ward) -> None:
    """Enough of everything that segments fill, grow and are used again."""
    for size in (10, 300_000, 700_000, 5_000, 1_500_000, 3_000_000, 10):
        ward.store(size)
    ward.begin(700_000).data_set.discard()
    ward.store(5_000, aside=True)
    ward.let_go_of_a_segment()
    ward.store(300_000)
    ward.store(10)


def calls_of_a_day(tmp_path: Path) -> int:
    disk = WatchedDisk()
    a_day(Ward(opened(tmp_path / "count", disk)))
    return disk.calls


@pytest.mark.parametrize("done", [False, True])
def test_a_kill_at_every_call_that_changes_the_disk_loses_nothing(tmp_path: Path, done: bool) -> None:
    calls = calls_of_a_day(tmp_path)
    assert calls > 30
    for number in range(1, calls + 1):
        disk = WatchedDisk()
        disk.stop_at(number, done=done)
        ward = Ward(opened(tmp_path / f"spool-{number}", disk))
        with pytest.raises(Stopped):
            a_day(ward)
        require_sound(ward, tmp_path / f"spool-{number}").close()


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_refusal_at_every_call_is_told_and_leaves_the_rest_as_it_was(tmp_path: Path, error: int) -> None:
    for number in range(1, calls_of_a_day(tmp_path) + 1):
        disk = WatchedDisk()
        disk.fail_at(number, error)
        ward = Ward(opened(tmp_path / f"spool-{number}", disk))
        with suppress(OutOfResources, OSError):  # a free segment that will not be written is passed over, not refused
            a_day(ward)
        assert disk.calls >= number
        ward.store(300_000)
        ward.store(10)
        require_sound(ward, tmp_path / f"spool-{number}").close()


def test_what_an_earlier_life_left_behind_is_never_found(tmp_path: Path) -> None:
    ward = Ward(opened(tmp_path))
    for _ in range(8):
        ward.store(300_000)
    full = ward.spool.full()
    assert full
    ward.spool.release(full[0].life)
    kept = {at for at in ward.acknowledged if place_of(at).life != full[0].life}
    assert {item.location for item in opened(tmp_path).unlisted(lambda _l: False, lambda _l: ())} == kept
    ward.store(1_900_000)
    ward.store(10)
    again = opened(tmp_path)
    found = [item.location for item in again.unlisted(lambda _life: False, lambda _life: ())]
    assert len(found) == len(kept) + 2
    assert full[0].life not in {place_of(location).life for location in found}
    for location in ward.acknowledged.keys() - kept:
        if place_of(location).life == full[0].life:
            assert not again.is_sound(location)


def test_a_damaged_head_costs_its_own_object_and_no_other(tmp_path: Path) -> None:
    ward = Ward(opened(tmp_path))
    for _ in range(3):
        ward.store(5_000)
    middle = sorted(ward.acknowledged, key=lambda at: place_of(at).offset)[1]
    (file,) = tmp_path.rglob("*.seg")
    with file.open("r+b") as stream:
        stream.seek(place_of(middle).offset + 40)
        stream.write(b"\xff" * 8)
    for _ in range(2):  # the next start finds it again: such a segment is never vouched for
        spool = opened(tmp_path)
        found = [item.location for item in spool.unlisted(lambda _life: False, lambda _life: ())]
        assert set(found) == ward.acknowledged.keys() - {middle}
        assert spool.damaged == {middle}
        assert spool.full() == []
        spool.close()


def test_a_damaged_segment_header_costs_nothing_and_is_told(tmp_path: Path) -> None:
    ward = Ward(opened(tmp_path))
    ward.store(5_000)
    ward.store(5_000)
    (file,) = tmp_path.rglob("*.seg")
    with file.open("r+b") as stream:
        stream.write(b"?" * 64)
    spool = opened(tmp_path)
    found = [item.location for item in spool.unlisted(lambda _life: False, lambda _life: ())]
    assert set(found) == ward.acknowledged.keys()
    assert spool.damaged == {file.stem}


def test_a_sector_that_cannot_be_read_is_damage_of_one_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ward = Ward(opened(tmp_path))
    for _ in range(3):
        ward.store(5_000)
    first, bad, last = sorted(ward.acknowledged, key=lambda at: place_of(at).offset)
    really_read, sector = os.pread, place_of(bad).offset + 4096

    def read(descriptor: int, size: int, offset: int) -> bytes:
        if offset <= sector < offset + size:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return really_read(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", read)
    with pytest.raises(CrashConsistency, match="Input/output error"):
        ward.spool.read_data_set(bad)
    assert not ward.spool.is_sound(bad)
    spool = opened(tmp_path)
    found = [item.location for item in spool.unlisted(lambda _life: False, lambda _life: ())]
    assert found == [first, last]
    assert spool.damaged == {bad}


def test_the_reserve_of_the_disk_is_not_eaten_by_segments(tmp_path: Path) -> None:
    class SmallDisk(Disk):
        left = 3 * SEGMENT_BYTES

        def free_bytes(self, folder: Path) -> int:
            return self.left

    disk = SmallDisk()
    ward = Ward(SegmentSpool(tmp_path, segment_bytes=SEGMENT_BYTES, disk=disk, reserve_bytes=2 * SEGMENT_BYTES))
    ward.store(700_000)
    disk.left -= SEGMENT_BYTES
    with pytest.raises(OutOfResources, match="disk reserve reached"):
        ward.store(1_500_000)
    ward.store(10)
    require_sound(ward, tmp_path).close()


def test_a_long_data_set_that_is_given_up_gives_its_room_back(tmp_path: Path) -> None:
    ward = Ward(opened(tmp_path))
    ward.begin(20_000_000).data_set.discard()
    assert {file.stat().st_size for file in tmp_path.rglob("*.seg")} == {SEGMENT_BYTES}


def test_a_free_segment_that_will_not_be_written_is_passed_over(tmp_path: Path) -> None:
    disk = WatchedDisk()
    ward = Ward(opened(tmp_path, disk))
    for _ in range(8):
        ward.store(300_000)
    for full in ward.spool.full():
        ward.spool.release(full.life)
        ward.acknowledged = {at: d for at, d in ward.acknowledged.items() if place_of(at).life != full.life}
    disk.fail_at(disk.calls + 1, errno.EIO)
    ward.store(1_900_000)
    require_sound(ward, tmp_path).close()


def test_a_long_data_set_outgrows_its_segment_and_a_short_one_moves(tmp_path: Path) -> None:
    ward = Ward(opened(tmp_path))
    ward.store(1_500_000)
    ward.store(1_000_000)
    ward.store(20_000_000)
    sizes = sorted(file.stat().st_size for file in tmp_path.rglob("*.seg"))
    assert sizes[0] == SEGMENT_BYTES
    assert sizes[-1] > 20_000_000
    require_sound(ward, tmp_path).close()


def test_a_quarantined_object_is_found_as_one(tmp_path: Path) -> None:
    ward = Ward(opened(tmp_path))
    ward.store(10, aside=True)
    (found,) = opened(tmp_path).unlisted(lambda _life: False, lambda _life: ())
    assert isinstance(found, QuarantinedInstance)
    assert found.reason == "not wanted"


def test_a_segment_that_the_catalogue_vouches_for_is_not_walked(tmp_path: Path) -> None:
    ward = Ward(opened(tmp_path))
    ward.store(10)
    asked: list[SegmentLife] = []

    def vouches(life: SegmentLife) -> bool:
        asked.append(life)
        return True

    assert list(opened(tmp_path).unlisted(vouches, lambda _life: pytest.fail("was walked"))) == []
    assert asked == [place_of(next(iter(ward.acknowledged))).life]
