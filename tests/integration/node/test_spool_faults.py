"""A spool on a failing disk: nothing half-kept is shown, and the sender is told to try again."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from dicom_nodes.encoding.header import read_header
from dicom_nodes.foundation.buffers import Buffer
from dicom_nodes.model.errors import CrashConsistency, OutOfResources
from dicom_nodes.model.instance import IncomingInstance
from dicom_nodes.spool.disk import Disk
from dicom_nodes.spool.segments import SegmentSpool
from tests.peers.failing_disks import ForgetfulDisk, Stopped
from tests.synthetic.incoming import incoming_of
from tests.synthetic.studies import MadeStudy, make_study

MIB = 1 << 20


class FailingDisk(Disk):
    """Refuses one kind of call from the `nth` on, until it is mended."""

    def __init__(self, call: str, error: int, nth: int = 1) -> None:
        self._call, self._error, self._left = call, error, nth

    def mend(self) -> None:
        self._call = ""

    def _pass(self, call: str) -> None:
        if call == self._call:
            self._left -= 1
            if self._left <= 0:
                raise OSError(self._error, os.strerror(self._error))

    def write(self, descriptor: int, buffers: Sequence[Buffer], offset: int) -> None:
        self._pass("write")
        super().write(descriptor, buffers, offset)

    def sync(self, descriptor: int) -> None:
        self._pass("sync")
        super().sync(descriptor)

    def create(self, file: Path, size_bytes: int) -> int:
        self._pass("create")
        return super().create(file, size_bytes)


@pytest.fixture
def study(tmp_path: Path) -> MadeStudy:
    return make_study(tmp_path / "images", slices=2)


def keep(spool: SegmentSpool, arrived: IncomingInstance) -> str:
    header = read_header(arrived.data_set.content(), arrived.transfer_syntax_uid).qualified("RXN", "RXN")
    return spool.keep(arrived, header).location


def kept_in(folder: Path) -> list[bytes]:
    """What a new start finds."""
    spool = SegmentSpool(folder, segment_bytes=4 * MIB)
    found = list(spool.unlisted(lambda _life: False, lambda _life: ()))
    return [bytes(spool.read_data_set(item.location)) for item in found]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("call", ["create", "write", "sync"])
def test_an_error_of_the_disk_leaves_nothing_behind(tmp_path: Path, study: MadeStudy, call: str, error: int) -> None:
    disk = FailingDisk(call, error)
    spool = SegmentSpool(tmp_path / "spool", segment_bytes=4 * MIB, disk=disk)
    with pytest.raises(OutOfResources, match=os.strerror(error)):
        keep(spool, incoming_of(study.files[0]))
    assert kept_in(tmp_path / "spool") == []
    disk.mend()
    location = keep(spool, incoming_of(study.files[1]))
    assert spool.read_data_set(location) == incoming_of(study.files[1]).data_set.content()
    assert kept_in(tmp_path / "spool") == [incoming_of(study.files[1]).data_set.content()]
    spool.close()


def test_after_a_failed_sync_a_segment_takes_nothing_more(tmp_path: Path, study: MadeStudy) -> None:
    disk = FailingDisk("sync", errno.EIO, nth=2)
    spool = SegmentSpool(tmp_path / "spool", segment_bytes=4 * MIB, disk=disk)
    first = keep(spool, incoming_of(study.files[0]))
    with pytest.raises(OutOfResources):
        keep(spool, incoming_of(study.files[1]))
    disk.mend()
    again = keep(spool, incoming_of(study.files[1]))
    assert first.split("-")[0] != again.split("-")[0]
    assert spool.is_sound(first)
    assert spool.is_sound(again)


def test_bit_rot_is_noticed_before_anybody_is_sent_the_bytes(tmp_path: Path, study: MadeStudy) -> None:
    spool = SegmentSpool(tmp_path / "spool", segment_bytes=4 * MIB)
    arrived = incoming_of(study.files[0])
    data_set = arrived.data_set.content()
    location = keep(spool, arrived)
    (file,) = (tmp_path / "spool").rglob("*.seg")
    with file.open("r+b") as stream:
        start = stream.read().index(data_set)
        stream.seek(start + len(data_set) - 1)
        stream.write(bytes([data_set[-1] ^ 1]))
    with pytest.raises(CrashConsistency, match="not what was kept"):
        spool.read_data_set(location)
    assert spool.damaged == {location}


def test_provenance_survives_in_the_object_itself(tmp_path: Path, study: MadeStudy) -> None:
    arrived = incoming_of(study.files[0])
    keep(SegmentSpool(tmp_path / "spool", segment_bytes=4 * MIB), arrived)
    spool = SegmentSpool(tmp_path / "spool", segment_bytes=4 * MIB)
    found = list(spool.unlisted(lambda _life: False, lambda _life: ()))
    assert [item.provenance for item in found] == [arrived.provenance]
    assert found[0].header.study_instance_uid == study.study_instance_uid
    assert found[0].header.patient_id_issuer == "RXN"


class KilledAtTheFirstSync(ForgetfulDisk):
    """The process dies between the write and its sync; the machine runs on."""

    def __init__(self) -> None:
        super().__init__()
        self.has_died = False

    def sync(self, descriptor: int) -> None:
        if not self.has_died:
            self.has_died = True
            raise Stopped
        super().sync(descriptor)


def test_what_a_start_finds_is_durable_before_it_counts(tmp_path: Path, study: MadeStudy) -> None:
    disk = KilledAtTheFirstSync()
    folder = tmp_path / "before/spool"
    with pytest.raises(Stopped):
        keep(SegmentSpool(folder, segment_bytes=4 * MIB, disk=disk), incoming_of(study.files[0]))
    found = list(SegmentSpool(folder, segment_bytes=4 * MIB, disk=disk).unlisted(lambda _: False, lambda _: ()))
    assert [item.digest for item in found] == [incoming_of(study.files[0]).data_set.digest]
    disk.cut_power(folder.parent, tmp_path / "after", lambda: 0)
    assert kept_in(tmp_path / "after/spool") == [incoming_of(study.files[0]).data_set.content()]


def test_a_listed_object_is_not_read_again(tmp_path: Path, study: MadeStudy) -> None:
    location = keep(SegmentSpool(tmp_path / "spool", segment_bytes=4 * MIB), incoming_of(study.files[0]))
    offset = int(location.split("-")[2], 16)
    spool = SegmentSpool(tmp_path / "spool", segment_bytes=4 * MIB)
    assert list(spool.unlisted(lambda _life: False, lambda _life: {offset})) == []
