"""Reading ahead: bounded by number and size, in order, and over when nobody wants more."""

import threading
from collections.abc import Iterator

import pytest

from dicom_nodes.dimse.outgoing import Prepared
from dicom_nodes.dimse.read_ahead import ReadAhead, Unsent
from dicom_nodes.model.delivery import OutgoingInstance


def instance(number: int, size: int = 10) -> OutgoingInstance:
    return OutgoingInstance(f"1.2.{number}", "1.3", "1.4", lambda: bytes(size), size)


class Reader:
    """Prepares instances, and says how many it has begun; `gate` holds it up."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self._changed = threading.Condition()

    def __call__(self, instance: OutgoingInstance) -> Prepared:
        with self._changed:
            self.begun.append(instance.sop_instance_uid)
            self._changed.notify_all()
        assert self.gate.wait(10)
        return Prepared(instance, data_set=instance.read_data_set())

    def has_begun(self, count: int, within_s: float = 10) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.begun) >= count, within_s)


@pytest.fixture
def reader() -> Iterator[Reader]:
    reader = Reader()
    yield reader
    reader.gate.set()
    for thread in threading.enumerate():
        if thread.name == "dicom-read-ahead":
            thread.join(10)
            assert not thread.is_alive()


def uids(numbers: range) -> list[str]:
    return [f"1.2.{number}" for number in numbers]


def test_order_is_kept_and_everything_comes_once(reader: Reader) -> None:
    ahead = ReadAhead(Unsent(instance(n) for n in range(50)), reader)

    assert [prepared.instance.sop_instance_uid for prepared in ahead] == uids(range(50))


def test_no_more_is_read_ahead_than_allowed(reader: Reader) -> None:
    ahead = ReadAhead(Unsent(instance(n) for n in range(50)), reader, instances_ahead=3)

    next(ahead)
    assert reader.has_begun(4)
    next(ahead)
    assert reader.has_begun(5)

    assert not reader.has_begun(6, within_s=0.1)
    ahead.close()


def test_large_instance_waits_until_nothing_else_is_held(reader: Reader) -> None:
    sizes = [10, 10, 1000, 10]
    unsent = Unsent(instance(number, size) for number, size in enumerate(sizes))
    ahead = ReadAhead(unsent, reader, bytes_ahead=100)

    next(ahead)
    assert not reader.has_begun(3, within_s=0.1)
    next(ahead)
    assert reader.has_begun(3)

    assert not reader.has_begun(4, within_s=0.1)
    assert [len(prepared.data_set) for prepared in ahead] == [1000, 10]


def test_closing_gives_back_what_was_read_and_what_is_being_read(reader: Reader) -> None:
    unsent = Unsent(instance(n) for n in range(10))
    ahead = ReadAhead(unsent, reader, instances_ahead=2)
    next(ahead)
    assert reader.has_begun(3)
    next(ahead)
    assert reader.has_begun(4)

    ahead.close()

    assert list(iter(lambda: getattr(unsent.take(), "sop_instance_uid", None), None)) == uids(range(2, 10))


def test_closing_does_not_wait_for_a_reader_that_hangs(reader: Reader) -> None:
    unsent = Unsent(instance(n) for n in range(3))
    reader.gate.clear()
    ahead = ReadAhead(unsent, reader)
    taker = threading.Thread(target=lambda: next(ahead, None))
    taker.start()
    assert reader.has_begun(1)

    ahead.close()
    taker.join(10)

    assert not taker.is_alive()
    taken = unsent.take()
    assert taken is not None
    assert taken.sop_instance_uid == "1.2.0"


def test_fault_of_the_reader_reaches_whoever_sends() -> None:
    def broken(_instance: OutgoingInstance) -> Prepared:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        next(ReadAhead(Unsent([instance(0)]), broken))
