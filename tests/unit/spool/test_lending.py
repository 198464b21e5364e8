"""Segments lent to other processes: none is lost, whether its borrower ends or dies; none is used while it is lent."""

import errno
import os
from pathlib import Path

import pytest

from dicom_nodes.encoding.header import read_header
from dicom_nodes.encoding.walk import EXPLICIT_VR_LITTLE_ENDIAN
from dicom_nodes.model.errors import OutOfResources
from dicom_nodes.spool.disk import Disk
from dicom_nodes.spool.lending import BorrowedRing, Loan, Loans
from dicom_nodes.spool.location import place_of
from dicom_nodes.spool.segments import SegmentSpool, Spooled
from tests.synthetic.small_instances import incoming_of, small_data_set

SEGMENT_BYTES = 2 << 20


class Borrower:
    """What a receiver does, in this process: its segments' descriptors are its own, as if they were sent to it."""

    def __init__(self, folder: Path, loans: Loans, disk: Disk | None = None) -> None:
        self._loans = loans
        self._descriptors: list[int] = []
        ring = BorrowedRing(folder / "segments", SEGMENT_BYTES, self, disk=disk)
        self.spool = SegmentSpool(folder, segment_bytes=SEGMENT_BYTES, ring=ring)

    def borrow(self, room_bytes: int) -> tuple[Loan, int]:
        loan, descriptor = self._loans.lend(room_bytes)
        self._descriptors.append(os.dup(descriptor))
        return loan, self._descriptors[-1]

    def give_back(self, loan: Loan) -> None:
        self._loans.take_back(loan)

    def reusable_bytes(self) -> int:
        return 0

    def keep(self, number: int, size_bytes: int = 300_000) -> str:
        arrived = incoming_of(number, small_data_set(number, size_bytes))
        header = read_header(arrived.data_set.content(), EXPLICIT_VR_LITTLE_ENDIAN).qualified("RXN", "RXN")
        return self.spool.keep(arrived, header).location

    def die(self) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)


@pytest.fixture
def lender(tmp_path: Path) -> SegmentSpool:
    return SegmentSpool(tmp_path / "spool", segment_bytes=SEGMENT_BYTES)


def walked(lender: SegmentSpool, loans: Loans) -> list[Spooled]:
    return [left for life in loans.lives() for left in lender.reclaimed(loans, life, ())]


def files(folder: Path) -> list[Path]:
    return sorted((folder / "spool").rglob("*.seg"))


@pytest.mark.parametrize("dies", [False, True])
def test_twenty_borrowers_after_each_other_fill_one_segment(tmp_path: Path, lender: SegmentSpool, dies: bool) -> None:
    kept: set[str] = set()
    for number in range(20):
        loans = lender.loans()
        borrower = Borrower(tmp_path / "spool", loans)
        kept.add(borrower.keep(number, 10_000))
        if dies:
            borrower.die()
            left = [item.location for item in walked(lender, loans)]
            assert set(left) == kept
        else:
            borrower.spool.close()
        assert loans.lives() == []
    assert len(files(tmp_path)) == 1
    assert len({place_of(location).life for location in kept}) == 1
    assert all(lender.is_sound(location) for location in kept)


def test_a_segment_that_a_borrower_fills_is_told_with_its_records(tmp_path: Path, lender: SegmentSpool) -> None:
    borrower = Borrower(tmp_path / "spool", lender.loans())
    kept = {borrower.keep(number) for number in range(12)}
    borrower.spool.close()
    told = {(full.life, offset) for full in lender.full() for offset in full.offsets}
    assert told
    assert told <= {(place_of(location).life, place_of(location).offset) for location in kept}


def test_what_is_lent_is_not_used_again_and_not_written_to_by_others(tmp_path: Path, lender: SegmentSpool) -> None:
    loans = lender.loans()
    borrower = Borrower(tmp_path / "spool", loans)
    location = borrower.keep(1)
    assert not lender.release(place_of(location).life)
    other = Borrower(tmp_path / "spool", lender.loans())
    assert place_of(other.keep(2)).life != place_of(location).life
    assert SegmentSpool(tmp_path / "spool", segment_bytes=SEGMENT_BYTES).release(place_of(location).life) is False
    assert lender.is_sound(location)


def test_a_process_that_has_ended_is_lent_nothing_more(tmp_path: Path, lender: SegmentSpool) -> None:
    loans = lender.loans()
    loans.close()
    with pytest.raises(OutOfResources):
        Borrower(tmp_path / "spool", loans).keep(1)
    assert lender.reusable_bytes > 0, "the segment is the lender's"


class DiskThatFailsOnce(Disk):
    """Tells a failed write once by each descriptor that was open when it failed, as Linux does."""

    def __init__(self) -> None:
        self.tells_by: set[int] = set()

    def fail(self) -> None:
        self.tells_by = {number for number in map(int, os.listdir("/proc/self/fd")) if number > 2}

    def sync(self, descriptor: int) -> None:
        if descriptor in self.tells_by:
            self.tells_by.remove(descriptor)
            raise OSError(errno.EIO, "input/output error")
        super().sync(descriptor)


def test_what_a_walk_cannot_make_durable_does_not_count(tmp_path: Path) -> None:
    disk = DiskThatFailsOnce()
    lender = SegmentSpool(tmp_path / "spool", segment_bytes=SEGMENT_BYTES, disk=disk)
    loans = lender.loans()
    borrower = Borrower(tmp_path / "spool", loans)
    locations = [borrower.keep(number, 10_000) for number in range(3)]
    borrower.die()
    disk.fail()
    assert walked(lender, loans) == []
    assert lender.damaged == {locations[0]}
    assert loans.lives() == []
    assert lender.reusable_bytes == 0, "it is written on"
    assert lender.full() == [], "it is vouched for"


class DyingBorrower(Exception):
    """It dies in the instant in which it is told that its sync failed."""


def test_a_failed_sync_of_a_borrower_that_died_of_it_is_told_to_the_walk(tmp_path: Path) -> None:
    class BorrowersDisk(Disk):
        def sync(self, descriptor: int) -> None:
            lenders.fail()
            lenders.tells_by.discard(descriptor)
            raise DyingBorrower

    lenders = DiskThatFailsOnce()
    lender = SegmentSpool(tmp_path / "spool", segment_bytes=SEGMENT_BYTES, disk=lenders)
    loans = lender.loans()
    borrower = Borrower(tmp_path / "spool", loans, BorrowersDisk())
    with pytest.raises(DyingBorrower):
        borrower.keep(1, 10_000)
    lenders.tells_by -= set(borrower._descriptors) | {loans._lent[life][0].descriptor for life in loans.lives()}
    assert walked(lender, loans) == []
    assert len(lender.damaged) == 1


def test_a_start_that_cannot_make_durable_what_it_finds_does_not_count_it(tmp_path: Path) -> None:
    before = SegmentSpool(tmp_path / "spool", segment_bytes=SEGMENT_BYTES)
    borrower = Borrower(tmp_path / "spool", before.loans())
    locations = [borrower.keep(1, 10_000), borrower.keep(2, 10_000)]
    borrower.spool.close()
    before.close()

    class BrokenOnce(Disk):
        has_failed = False

        def sync(self, descriptor: int) -> None:
            if not self.has_failed:
                self.has_failed = True
                raise OSError(errno.EIO, "input/output error")
            super().sync(descriptor)

    started = SegmentSpool(tmp_path / "spool", segment_bytes=SEGMENT_BYTES, disk=BrokenOnce())
    assert list(started.unlisted(lambda _life: False, lambda _life: ())) == []
    assert locations[0] in started.damaged
    assert started.reusable_bytes == 0
    assert place_of(locations[0]).life not in [full.life for full in started.full()]
    assert [started.is_sound(location) for location in locations] == [True, True], "nothing is cut off"


def test_a_lent_segment_whose_file_is_gone_is_damage_and_nothing_more(tmp_path: Path, lender: SegmentSpool) -> None:
    loans = lender.loans()
    borrower = Borrower(tmp_path / "spool", loans)
    borrower.keep(1, 10_000)
    borrower.die()
    (segment,) = files(tmp_path)
    segment.unlink()
    assert walked(lender, loans) == []
    assert loans.lives() == []
    assert len(lender.damaged) == 1


def test_a_grown_segment_that_was_let_go_of_is_not_held_open_by_who_read_it(
    tmp_path: Path, lender: SegmentSpool
) -> None:
    borrower = Borrower(tmp_path / "spool", lender.loans())
    location = borrower.keep(1, 9 << 20)
    assert borrower.spool.is_sound(location)
    assert lender.release(place_of(location).life)
    opened = [os.readlink(f"/proc/self/fd/{number}") for number in set(borrower.spool._ring._readers.values())]
    assert opened == []
