"""What the main process answers its receivers, and puts right when one has gone."""

import errno
import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dicom_nodes.app import NodeApp
from dicom_nodes.flows.register import Candidate
from dicom_nodes.model.errors import OutOfResources
from dicom_nodes.model.instance import InstanceHeader
from dicom_nodes.receivers import questions as q
from dicom_nodes.receivers.channel import Channel, ChannelClosed
from dicom_nodes.receivers.desk import Desk
from dicom_nodes.receivers.link import Conversation, Link
from dicom_nodes.receivers.remote import RemoteRegister
from dicom_nodes.rules.ingest import KeepAside, Take
from dicom_nodes.spool.lending import Loans
from dicom_nodes.spool.location import SegmentLife
from dicom_nodes.spool.segments import Spooled
from tests.peers.node import peer, running_node, write_trust_file
from tests.synthetic.small_instances import CT, incoming_of


class Receivership:
    """A receiver that is nothing but its conversations; `is_killed` once its process would have been."""

    def __init__(self, node: NodeApp) -> None:
        self.is_killed = threading.Event()
        self.desk = Desk(node._main_parts, self.is_killed.set)

    @contextmanager
    def conversation(self) -> Iterator[Conversation]:
        ours, theirs = socket.socketpair()
        answering = threading.Thread(target=self.desk.serve, args=(Channel(theirs),))
        answering.start()
        conversation = Conversation(Channel(ours))
        try:
            yield conversation
        finally:
            conversation.close()
            if self.is_killed.is_set():
                self.desk.settle(lambda: False, lambda _s: None)
            answering.join(20)
            assert not answering.is_alive()

    def borrow_and_die(self, conversation: Conversation, judged: Candidate) -> None:
        """With a segment lent and an instance to be kept."""
        self.desk._loans.lend(1000)
        assert isinstance(conversation.ask(q.Judge(judged)), Take)
        conversation.close()
        assert self.is_killed.wait(20)

    def ask(self, question: q.Question) -> object:
        with self.conversation() as conversation:
            return conversation.ask(question)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeApp]:
    """Whose receivers are the tests' own."""
    slow = peer("SLOW", "modality", ("store",)) + "maximum_mib_per_s = 1.0\nmaximum_associations = 2\n"
    with running_node(write_trust_file(tmp_path / "node", peers=(slow,))) as app:
        yield app


def candidate(number: int, patient_id: str = "H-1") -> Candidate:
    """Of one study, whoever its patient is."""
    arrived = incoming_of(number, b"")
    header = InstanceHeader(CT, arrived.sop_instance_uid, "1.9.1", "1.9.1.1", "1.2.840.10008.1.2.1", patient_id, "RXN")
    return Candidate(header, f"{number:064x}", arrived.provenance, "")


def test_a_study_is_claimed_for_one_patient_while_another_receiver_asks(node: NodeApp) -> None:
    one, other = Receivership(node), Receivership(node)
    with one.conversation() as first:
        assert isinstance(first.ask(q.Judge(candidate(1))), Take)
        assert isinstance(other.ask(q.Judge(candidate(2, "H-2"))), KeepAside)
        first.ask(q.GiveUp())
        with other.conversation() as second:
            assert isinstance(second.ask(q.Judge(candidate(2, "H-2"))), Take)
            second.ask(q.GiveUp())
    assert not one.is_killed.is_set()


def test_what_is_noted_is_what_was_judged(node: NodeApp) -> None:
    with Receivership(node).conversation() as conversation:
        assert isinstance(conversation.ask(q.Judge(candidate(1))), Take)
        conversation.ask(q.Note("00000001-0000000000000001-000000001000", 10))
    known = node.store.catalogue.find_instance(candidate(1).header.sop_instance_uid)
    assert known is not None
    assert (known.study_instance_uid, known.digest, known.size_bytes) == ("1.9.1", candidate(1).digest, 10)


def test_a_receiver_that_goes_away_in_the_middle_is_ended(node: NodeApp) -> None:
    receiver = Receivership(node)
    with receiver.conversation() as conversation:
        assert isinstance(conversation.ask(q.Judge(candidate(1))), Take)
        conversation.close()
        assert receiver.is_killed.wait(20)
    assert isinstance(Receivership(node).ask(q.QuarantinedAt("1.2", "0")), type(None))
    assert node.store.catalogue.find_instance(candidate(1).header.sop_instance_uid) is None


def test_a_receiver_that_says_something_else_than_what_became_of_it_is_ended(node: NodeApp) -> None:
    receiver = Receivership(node)
    with receiver.conversation() as conversation:
        conversation.ask(q.Judge(candidate(1)))
        asking = threading.Thread(target=_ask_in_vain, args=(conversation,))
        asking.start()
        assert receiver.is_killed.wait(20)
        receiver.desk.settle(lambda: False, lambda _s: None)
        asking.join(20)


def _ask_in_vain(conversation: Conversation) -> None:
    with pytest.raises((q.MainFailed, ChannelClosed)):
        conversation.ask(q.AskRoom())


def test_places_and_associations_of_a_receiver_that_died_are_given_back(node: NodeApp) -> None:
    one, other = Receivership(node), Receivership(node)
    assert [one.ask(q.TakePlace("SLOW")), other.ask(q.TakePlace("SLOW")), one.ask(q.TakePlace("SLOW"))] == [
        True, True, False,
    ]  # fmt: skip
    one.ask(q.Opened("a-1"))
    sending = node._main_parts.associations.sending
    node._main_parts.associations.touched("a-1", "1.9.1", datetime.now(UTC))
    assert list(sending("1.9.1")) == ["a-1"]
    one.desk.settle(lambda: False, lambda _s: None)
    assert sending("1.9.1") == {}, "the study may settle"
    assert not one.ask(q.TakePlace("SLOW")), "the dead take nothing"
    assert other.ask(q.TakePlace("SLOW"))
    assert not other.ask(q.TakePlace("STRANGER"))


def test_a_peers_pace_is_one_for_all_receivers(node: NodeApp) -> None:
    one, other = Receivership(node), Receivership(node)
    assert one.ask(q.HasRead("SLOW", 1 << 20)) == pytest.approx(0, abs=0.1)
    waits_s = other.ask(q.HasRead("SLOW", 10 << 20))
    assert isinstance(waits_s, float)
    assert 8 < waits_s <= 10


def test_what_fails_in_the_main_process_is_no_answer_and_no_success(node: NodeApp) -> None:
    node._register.quarantined_at = _failing
    with Receivership(node).conversation() as conversation:
        with pytest.raises(q.MainFailed):
            conversation.ask(q.QuarantinedAt("1.2", "0"))
        assert isinstance(conversation.ask(q.AskRoom()), q.Room), "the conversation goes on"


def _failing(*_: object) -> None:
    raise ValueError("of the database, say")


def test_a_segment_that_cannot_be_walked_keeps_its_claims_until_the_node_stops(
    node: NodeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is acknowledged then, by nobody: what it may hold is known to the next start."""
    receiver = Receivership(node)
    tries: list[float] = []
    monkeypatch.setattr(node._main_parts.spool, "reclaimed", _unreadable)
    asked: list[object] = []

    def ask_too() -> None:
        try:
            asked.append(Receivership(node).ask(q.Judge(candidate(1, "H-2"))))
        except OutOfResources as refused:
            asked.append(refused)

    asking = threading.Thread(target=ask_too)
    with receiver.conversation() as conversation:
        receiver.borrow_and_die(conversation, candidate(1))
        asking.start()
        receiver.desk.settle(lambda: len(tries) == 3, tries.append)
        receiver.is_killed.clear()
    asking.join(20)
    assert [type(answer) for answer in asked] == [OutOfResources]
    assert len(receiver.desk._loans.lives()) == 1, "it is locked until the process ends"
    assert node.store.catalogue.find_instance(candidate(1).header.sop_instance_uid) is None


def _unreadable(*_: object) -> Iterator[Spooled]:
    raise OSError(errno.EMFILE, "too many open files")


def test_segments_are_walked_whatever_becomes_of_the_others(node: NodeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Receivership(node)
    reclaimed = node._main_parts.spool.reclaimed
    walks: list[int] = []

    def one_fails_twice(loans: Loans, life: SegmentLife, listed: Collection[int]) -> Iterator[Spooled]:
        walks.append(life.number)
        return (
            _unreadable()
            if walks.count(life.number) < 3 and life.number == walks[0]
            else reclaimed(loans, life, listed)
        )

    monkeypatch.setattr(node._main_parts.spool, "reclaimed", one_fails_twice)
    receiver.desk._loans.lend(1000)
    receiver.desk._loans.lend(1000)
    first, other = (life.number for life in receiver.desk._loans.lives())
    receiver.desk.settle(lambda: False, lambda _s: None)
    assert walks == [first, other, first, first]
    assert receiver.desk._loans.lives() == []


def test_a_segment_whose_descriptor_does_not_arrive_is_lent_no_more(
    node: NodeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a receiver that may open no more files."""
    receiver = Receivership(node)
    ours, theirs = socket.socketpair()
    with ours, theirs, receiver.conversation() as conversation:
        link = Link(ours)
        link._keep(conversation)
        monkeypatch.setattr(conversation._channel, "receive_with_descriptor", lambda: _without_descriptor(conversation))
        for _ in range(3):
            with pytest.raises(OSError, match="did not arrive"):
                RemoteRegister(link).borrow(1000)
        assert receiver.desk._loans.lives() == []
    assert len(list((node._settings.node.data_dir / "spool").rglob("*.seg"))) == 1


def _without_descriptor(conversation: Conversation) -> tuple[object, None]:
    return conversation._channel.receive(), None


def test_a_segment_that_could_not_be_sent_is_lent_no_more(node: NodeApp) -> None:
    receiver = Receivership(node)
    ours, theirs = socket.socketpair()
    Channel(ours).send(q.Borrow(1000))
    ours.close()
    receiver.desk.serve(Channel(theirs))
    assert receiver.desk._loans.lives() == []
    assert node._main_parts.spool.reusable_bytes > 0


def test_a_receiver_that_never_says_what_became_of_an_instance_is_ended(
    node: NodeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise UID and study would stay claimed for as long as it hangs (HAZARDS 9)."""
    monkeypatch.setattr("dicom_nodes.receivers.desk._OUTCOME_WITHIN_S", 0.05)
    receivership = Receivership(node)
    with receivership.conversation() as conversation:
        assert isinstance(conversation.ask(q.Judge(candidate(1))), Take)
        assert receivership.is_killed.wait(20)
    with Receivership(node).conversation() as another:
        assert isinstance(another.ask(q.Judge(candidate(1))), Take)
        another.ask(q.GiveUp())
