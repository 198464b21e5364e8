"""Batches: each message answered for itself between headers that refer to those that came; counts are compared."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_nodes.flows.take_report import TakeReport
from dicom_nodes.hl7.ack import read_ack
from dicom_nodes.hl7.batch import is_batch, split_batch
from dicom_nodes.hl7.intake import Hl7Intake
from dicom_nodes.hl7.report_intake import OruIntake
from tests.fakes.report_fakes import MemoryReportStore
from tests.fakes.report_samples import oru, oru_with

FHS, BHS = b"FHS|^~\\&|READER|RXL|RA|RXL|20260301||F1||FILE9\r", b"BHS|^~\\&|READER|RXL|RA|RXL|20260301||B1||BATCH7\r"
GOOD, OTHER = oru(), oru_with("MSG00001", "MSG00002")
BAD = oru_with("9990000018", "9990000019").replace(b"MSG00001", b"MSG00003")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Orders:
    def __call__(self, raw: bytes) -> bytes:
        raise AssertionError("no order was sent")

    def refuse_too_long(self, head: bytes, size_bytes: int, limit_bytes: int) -> bytes:
        raise AssertionError("no order was sent")


def answer(raw: bytes, store: MemoryReportStore | None = None) -> bytes:
    store = MemoryReportStore() if store is None else store
    return Hl7Intake(OruIntake(TakeReport(store), lambda: NOW), Orders(), lambda: NOW)(raw)


def names(raw: bytes) -> list[str]:
    return [line[:3].decode() for line in raw.split(b"\r") if line]


def test_each_message_is_answered_for_itself_between_headers_that_refer_to_those_that_came() -> None:
    store = MemoryReportStore()
    told = answer(FHS + BHS + GOOD + BAD + OTHER + b"BTS|3\rFTS|1\r", store)
    assert names(told) == ["FHS", "BHS", "MSH", "MSA", "MSH", "MSA", "ERR", "MSH", "MSA", "BTS", "FTS"]
    answers = [read_ack(raw) for raw in split_batch(told).messages]
    assert [(one.code, one.control_id) for one in answers] == [
        ("AA", "MSG00001"),
        ("AE", "MSG00003"),
        ("AA", "MSG00002"),
    ]
    assert told.split(b"\r")[1].split(b"|")[11:12] == [b"BATCH7"]
    assert told.split(b"\r")[0].split(b"|")[2:6] == [b"RA", b"RXL", b"READER", b"RXL"]
    assert b"\rBTS|3\rFTS|1\r" in told
    assert [report.original for report in store.taken.values()] == [GOOD, OTHER]
    assert [refused.original for refused in store.refused.values()] == [BAD]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (BHS + GOOD + b"BTS|2\r", r"BTS-1: says 2, found 1"),
        (BHS + GOOD + b"BTS|many\r", r"BTS-1: expected a number"),
        (FHS + BHS + GOOD + b"BTS|1\rFTS|2\r", r"FTS-1: says 2, found 1"),
        (BHS + b"BTS|0\r", r"BHS: the batch holds no message"),
        (BHS + b"lost words\r" + GOOD + b"BTS|1\r", r"BHS: a line that belongs to no message"),
    ],
)
def test_a_batch_that_does_not_add_up_is_told_and_kept_for_a_person(raw: bytes, words: str) -> None:
    store = MemoryReportStore()
    told = answer(raw, store)
    assert words.encode() in told.split(b"\rBTS|")[1]
    assert [(one.original, one.reason) for one in store.refused.values()] == [(raw, words)]
    assert len(store.taken) == (GOOD in raw)


@pytest.mark.parametrize("raw", [GOOD + OTHER, BHS + GOOD + OTHER, BHS + GOOD + OTHER + b"BTS\r"])
def test_messages_without_headers_or_counts_are_a_batch_too(raw: bytes) -> None:
    store = MemoryReportStore()
    told = answer(raw, store)
    assert [read_ack(one).code for one in split_batch(told).messages] == ["AA", "AA"]
    assert (len(store.taken), store.refused) == (2, {})


def test_several_batches_of_a_file_are_counted_each_for_itself() -> None:
    store = MemoryReportStore()
    answer(FHS + BHS + GOOD + b"BTS|1\r" + BHS + OTHER + b"BTS|1\rFTS|2\r", store)
    assert (len(store.taken), store.refused) == (2, {})


def test_one_message_is_no_batch() -> None:
    assert not is_batch(GOOD)
    assert names(answer(GOOD)) == ["MSH", "MSA"]


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([FHS, BHS, GOOD, BAD, b"BTS|1\r", b"FTS|1\n", b"\r\n", b"junk\n", b"BTS", b"MSH"]), max_size=8
    )
)
def test_whatever_is_in_a_batch_every_message_is_answered(parts: list[bytes]) -> None:
    raw = b"".join(parts)
    batch = split_batch(raw)
    assert all(message.startswith(b"MSH") for message in batch.messages)
    if is_batch(raw):
        assert len(split_batch(answer(raw)).messages) == len(batch.messages)
