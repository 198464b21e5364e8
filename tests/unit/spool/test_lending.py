"""Segments lent to other processes: none is lost, whether its borrower ends or dies; none is used while it is lent."""

import os
from pathlib import Path

import pytest

from dicom_nodes.encoding.header import read_header
from dicom_nodes.encoding.walk import EXPLICIT_VR_LITTLE_ENDIAN
from dicom_nodes.model.errors import OutOfResources
from dicom_nodes.spool.lending import BorrowedRing, Loan, Loans
from dicom_nodes.spool.location import place_of
from dicom_nodes.spool.segments import SegmentSpool
from tests.synthetic.small_instances import incoming_of, small_data_set

SEGMENT_BYTES = 2 << 20


class Borrower:
    """What a receiver does, in this process: its segments' descriptors are its own, as if they were sent to it."""

    def __init__(self, folder: Path, loans: Loans) -> None:
        self._loans = loans
        self._descriptors: list[int] = []
        ring = BorrowedRing(folder / "segments", SEGMENT_BYTES, self)
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
            left = [item.location for item in lender.reclaimed(loans, lambda _life: ())]
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
