"""What the C-STORE requester makes of good and bad partners; the partner is a fake, the wire is tested elsewhere."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from dicom_nodes.dimse.association import NoContextAccepted, NoResponse, Proposal
from dicom_nodes.dimse.messages import PresentationContext, Request, Response, StoreRequest
from dicom_nodes.dimse.store_scu import DicomStoreScu
from dicom_nodes.model.delivery import ApplicationEntity, OutgoingInstance, StoreResult
from dicom_nodes.model.errors import CannotTranscode, CrashConsistency, PeerUnavailable
from tests.peers.processes import wait_until

CT, JPEG = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.4.50"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
PEER = ApplicationEntity("PACS", "127.0.0.1", 104)


def instance(number: int, sop_class: str = CT, syntax: str = EXPLICIT) -> OutgoingInstance:
    return OutgoingInstance(f"1.2.{number}", sop_class, syntax, lambda: b"data")


@dataclass
class FakePeer:
    """Accepts contexts as `accepts` says and answers each instance as `answers` says."""

    accepts: Callable[[str, str], bool] = lambda _sop_class, _syntax: True
    answers: Callable[[str], Response | None] = lambda _uid: Response(0)
    opened: list[list[Proposal]] = field(default_factory=list)
    ended: int = 0
    window: int = 1
    answers_first: Callable[[int], int] = lambda _outstanding: 0
    answered_id: Callable[[int], int] = lambda message_id: message_id
    most_outstanding: int = 0
    sent: list[bytes] = field(default_factory=list)

    def __call__(self, to: ApplicationEntity, proposals: Sequence[Proposal]) -> "FakeAssociation":
        self.opened.append(list(proposals))
        contexts = tuple(
            PresentationContext(2 * number + 1, p.abstract_syntax, p.transfer_syntaxes[0])
            for number, p in enumerate(proposals)
            if self.accepts(p.abstract_syntax, p.transfer_syntaxes[0])
        )
        if not contexts:
            raise NoContextAccepted("nothing accepted")
        return FakeAssociation(self, contexts)


@dataclass
class FakeAssociation:
    peer: FakePeer
    contexts: tuple[PresentationContext, ...]
    asked: list[StoreRequest] = field(default_factory=list)

    @property
    def window(self) -> int:
        return self.peer.window

    def send_store(self, request: StoreRequest) -> None:
        self.asked.append(request)
        self.peer.sent.append(bytes(request.data_set))
        self.peer.most_outstanding = max(self.peer.most_outstanding, len(self.asked))

    def has_answer(self) -> bool:
        return False

    def next_answer(self) -> tuple[int | None, Response]:
        request = self.asked.pop(self.peer.answers_first(len(self.asked)))
        answer = self.peer.answers(request.sop_instance_uid)
        if answer is None:
            raise NoResponse("PACS gave no answer within 30 s")
        return self.peer.answered_id(request.message_id), answer

    def request(self, request: Request) -> Response:
        raise NotImplementedError

    def retrieve(self, request: Request, receive: Callable[[StoreRequest], Response]) -> Response:
        raise NotImplementedError

    def release(self) -> None:
        self.peer.ended += 1

    def abort(self) -> None:
        self.peer.ended += 1


def send(peer: FakePeer, instances: Sequence[OutgoingInstance]) -> list[tuple[str, int | None]]:
    scu = DicomStoreScu("NODE", open_association=peer)
    return [(result.sop_instance_uid, result.status) for result in scu.send(PEER, instances)]


def test_instance_without_an_answer_has_no_status_and_the_rest_goes_on_in_a_new_association() -> None:
    peer = FakePeer(answers=lambda uid: None if uid == "1.2.1" else Response(0))

    results = send(peer, [instance(0), instance(1), instance(2)])

    assert results == [("1.2.0", 0), ("1.2.1", None), ("1.2.2", 0)]
    assert len(peer.opened) == peer.ended == 2


def test_two_lost_answers_in_a_row_mean_the_peer_is_unavailable() -> None:
    peer = FakePeer(answers=lambda _uid: None)
    scu = DicomStoreScu("NODE", open_association=peer)

    results = []
    with pytest.raises(PeerUnavailable, match="no answer"):
        results.extend(scu.send(PEER, [instance(n) for n in range(5)]))

    assert len(peer.opened) == peer.ended == 2


def test_only_what_is_sent_is_proposed_once() -> None:
    peer = FakePeer()

    send(peer, [instance(0), instance(1), instance(2, syntax=JPEG)])

    assert peer.opened == [[Proposal(CT, (EXPLICIT,)), Proposal(CT, (JPEG,)), Proposal(CT, (IMPLICIT,))]]


def test_more_than_128_kinds_of_instances_take_several_associations() -> None:
    peer = FakePeer()

    results = send(peer, [instance(n, sop_class=f"1.3.{n}") for n in range(130)])

    assert [len(proposals) for proposals in peer.opened] == [128, 128, 4]
    assert [uid for uid, _ in results] == [f"1.2.{n}" for n in range(130)]


def test_refused_context_is_a_result_in_words_and_the_others_are_sent() -> None:
    peer = FakePeer(accepts=lambda _sop_class, syntax: syntax == EXPLICIT)
    scu = DicomStoreScu("NODE", open_association=peer)

    refused, sent = scu.send(PEER, [instance(0, syntax=JPEG), instance(1)])

    assert (refused.status, sent.status) == (None, 0)
    assert refused.comment.startswith("PACS does not accept CT Image Storage in JPEG Baseline (Process 1), and ")


def test_peer_that_accepts_no_context_gives_a_result_for_each_instance() -> None:
    peer = FakePeer(accepts=lambda _sop_class, _syntax: False)

    assert send(peer, [instance(0), instance(1)]) == [("1.2.0", None), ("1.2.1", None)]


def test_failure_status_comes_back_as_it_is_without_the_partners_words() -> None:
    peer = FakePeer(answers=lambda _uid: Response(0xA700, "no room for O'BRIEN^SIAN"))

    (result,) = DicomStoreScu("NODE", open_association=peer).send(PEER, [instance(0)])

    assert (result.sop_instance_uid, result.status, result.comment) == ("1.2.0", 0xA700, "")


def test_object_that_the_spool_cannot_give_does_not_stop_the_others() -> None:
    def gone() -> bytes:
        raise CrashConsistency("the object is gone")

    broken = OutgoingInstance("1.2.9", CT, EXPLICIT, gone)

    assert send(FakePeer(), [broken, instance(1)]) == [("1.2.9", None), ("1.2.1", 0)]


def test_association_is_released_when_the_caller_stops_early() -> None:
    peer = FakePeer()
    results = DicomStoreScu("NODE", open_association=peer).send(PEER, [instance(0), instance(1)])

    next(iter(results))
    results.close()  # type: ignore[attr-defined]

    assert peer.ended == 1


def test_as_many_requests_are_outstanding_as_the_partner_grants() -> None:
    peer = FakePeer(window=4)

    results = send(peer, [instance(n) for n in range(10)])

    assert results == [(f"1.2.{n}", 0) for n in range(10)]
    assert peer.most_outstanding == 4


def test_answers_out_of_order_go_to_their_own_instances_and_results_keep_the_order() -> None:
    peer = FakePeer(window=4, answers_first=lambda outstanding: outstanding - 1)
    peer.answers = lambda uid: Response(0xA700 if uid == "1.2.2" else 0)

    results = send(peer, [instance(n) for n in range(6)])

    assert results == [(f"1.2.{n}", 0xA700 if n == 2 else 0) for n in range(6)]


def test_lost_association_leaves_every_outstanding_instance_without_status_and_sends_the_rest() -> None:
    peer = FakePeer(window=3, answers=lambda uid: None if uid == "1.2.1" else Response(0))

    results = send(peer, [instance(n) for n in range(8)])

    assert results[0] == ("1.2.0", 0)
    assert [status for _, status in results[1:4]] == [None, None, None]
    assert results[4:] == [(f"1.2.{n}", 0) for n in range(4, 8)]
    assert len(peer.opened) == peer.ended == 2


def test_answer_that_came_before_the_loss_still_counts() -> None:
    lost_after = ["1.2.2"]
    peer = FakePeer(window=3, answers_first=lambda outstanding: outstanding - 1)
    peer.answers = lambda uid: Response(0) if uid in lost_after else None

    results: list[StoreResult] = []
    with pytest.raises(PeerUnavailable):
        results.extend(DicomStoreScu("NODE", open_association=peer).send(PEER, [instance(n) for n in range(6)]))

    assert [(result.sop_instance_uid, result.status) for result in results] == [
        ("1.2.0", None),
        ("1.2.1", None),
        ("1.2.2", 0),
        ("1.2.3", None),
        ("1.2.4", None),
        ("1.2.5", None),
    ]


def test_answer_to_a_request_that_was_not_sent_counts_for_nothing() -> None:
    peer = FakePeer(answered_id=lambda message_id: message_id + 1)

    results = []
    with pytest.raises(PeerUnavailable, match="did not send"):
        results.extend(DicomStoreScu("NODE", open_association=peer).send(PEER, [instance(n) for n in range(3)]))

    assert [result.status for result in results] == [None, None]


def test_cancelled_sending_waits_for_the_answers_that_are_due_and_sends_no_more() -> None:
    peer = FakePeer(window=4)
    sent: list[str] = []
    peer.answers = lambda uid: sent.append(uid) or Response(0)  # type: ignore[func-returns-value]
    scu = DicomStoreScu("NODE", open_association=peer)

    results = list(scu.send(PEER, [instance(n) for n in range(20)], is_cancelled=lambda: peer.most_outstanding >= 3))

    assert [result.sop_instance_uid for result in results] == sent == ["1.2.0", "1.2.1", "1.2.2"]
    assert peer.ended == 1


def test_damaged_object_among_outstanding_ones_fails_alone_and_in_its_place() -> None:
    def gone() -> bytes:
        raise CrashConsistency("the object is gone")

    peer = FakePeer(window=4)
    instances = [instance(n) for n in range(6)]
    instances[2] = OutgoingInstance("1.2.2", CT, EXPLICIT, gone)

    assert send(peer, instances) == [(f"1.2.{n}", None if n == 2 else 0) for n in range(6)]


PARALLEL = ApplicationEntity("PACS", "127.0.0.1", 104, parallel_associations=3)


def test_many_instances_go_over_several_associations_and_never_more_than_configured() -> None:
    peer = FakePeer()
    barrier = threading.Barrier(3, timeout=10)
    met: set[int] = set()

    def answer(_uid: str) -> Response:
        if threading.get_ident() not in met:
            met.add(threading.get_ident())
            barrier.wait()
        return Response(0)

    peer.answers = answer

    results = list(DicomStoreScu("NODE", open_association=peer).send(PARALLEL, [instance(n) for n in range(60)]))

    assert sorted(result.sop_instance_uid for result in results) == sorted(f"1.2.{n}" for n in range(60))
    assert {result.status for result in results} == {0}
    assert len(peer.opened) == peer.ended == len(met) == 3


def test_few_instances_do_not_open_more_associations_than_they_are_worth() -> None:
    peer = FakePeer()

    list(DicomStoreScu("NODE", open_association=peer).send(PARALLEL, [instance(n) for n in range(9)]))

    assert len(peer.opened) <= 2


class OneOnly(FakePeer):
    """Rejects every association beside the first."""

    def __call__(self, to: ApplicationEntity, proposals: Sequence[Proposal]) -> "FakeAssociation":
        if self.opened:
            raise PeerUnavailable("PACS has no room for another association")
        return super().__call__(to, proposals)


def test_partner_that_takes_one_association_only_gets_everything_on_that_one() -> None:
    peer = OneOnly()

    results = list(DicomStoreScu("NODE", open_association=peer).send(PARALLEL, [instance(n) for n in range(60)]))

    assert sorted(result.sop_instance_uid for result in results) == sorted(f"1.2.{n}" for n in range(60))


class FirstOnly(FakePeer):
    """Accepts no context on the associations of the threads beside the first."""

    def __call__(self, to: ApplicationEntity, proposals: Sequence[Proposal]) -> "FakeAssociation":
        if threading.current_thread().name != "dicom-send-0":
            raise NoContextAccepted("nothing accepted")
        return super().__call__(to, proposals)


def test_association_without_contexts_leaves_its_share_to_the_others() -> None:
    def answer(_uid: str) -> Response:
        others = {"dicom-send-1", "dicom-send-2"}  # answered when they have been refused and are gone
        wait_until(lambda: not others & {thread.name for thread in threading.enumerate()}, "they are gone")
        return Response(0)

    peer = FirstOnly(answers=answer)

    results = list(DicomStoreScu("NODE", open_association=peer).send(PARALLEL, [instance(n) for n in range(60)]))

    assert sorted(result.sop_instance_uid for result in results) == sorted(f"1.2.{n}" for n in range(60))
    assert {result.status for result in results} == {0}


def test_partner_that_accepts_no_context_on_any_association_gives_a_result_for_each_instance() -> None:
    peer = FakePeer(accepts=lambda _sop_class, _syntax: False)

    results = list(DicomStoreScu("NODE", open_association=peer).send(PARALLEL, [instance(n) for n in range(60)]))

    assert sorted(result.sop_instance_uid for result in results) == sorted(f"1.2.{n}" for n in range(60))
    assert {result.status for result in results} == {None}
    assert all("does not accept" in result.comment for result in results)


def test_lost_associations_beside_refused_ones_mean_the_peer_is_unavailable() -> None:
    peer = FirstOnly(answers=lambda _uid: None)

    results: list[StoreResult] = []
    with pytest.raises(PeerUnavailable):
        results.extend(DicomStoreScu("NODE", open_association=peer).send(PARALLEL, [instance(n) for n in range(60)]))

    assert [result.status for result in results] == [None] * 2


def test_partner_that_fails_on_every_association_is_unavailable_and_nothing_counts_as_stored() -> None:
    peer = FakePeer(answers=lambda _uid: None)

    results: list[StoreResult] = []
    with pytest.raises(PeerUnavailable):
        results.extend(DicomStoreScu("NODE", open_association=peer).send(PARALLEL, [instance(n) for n in range(60)]))

    assert [result.status for result in results] == [None] * 6
    assert len(peer.opened) == peer.ended == 6


def test_loss_on_one_association_leaves_the_others_alone() -> None:
    peer = FakePeer(answers=lambda uid: None if uid == "1.2.7" else Response(0))

    results = {
        result.sop_instance_uid: result.status
        for result in DicomStoreScu("NODE", open_association=peer).send(PARALLEL, [instance(n) for n in range(60)])
    }

    assert results == {f"1.2.{n}": None if n == 7 else 0 for n in range(60)}


def test_several_associations_end_when_the_caller_stops_early() -> None:
    peer = FakePeer()
    results = DicomStoreScu("NODE", open_association=peer).send(PARALLEL, [instance(n) for n in range(500)])

    next(iter(results))
    results.close()  # type: ignore[attr-defined]

    assert len(peer.opened) == peer.ended
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("dicom-send")]


def test_cancel_is_only_asked_by_the_thread_that_asked_for_the_sending() -> None:
    peer = FakePeer()
    asked: set[int] = set()

    def is_cancelled() -> bool:
        asked.add(threading.get_ident())
        return False

    list(
        DicomStoreScu("NODE", open_association=peer).send(
            PARALLEL, [instance(n) for n in range(60)], is_cancelled=is_cancelled
        )
    )

    assert asked == {threading.get_ident()}


def test_instance_is_converted_where_only_a_fallback_is_accepted() -> None:
    peer = FakePeer(accepts=lambda _sop_class, syntax: syntax == EXPLICIT)
    asked: list[tuple[bytes, str, str]] = []

    def transcode(data_set: Any, stored: str, wanted: str, _receiver: str) -> bytes:
        asked.append((bytes(data_set), stored, wanted))
        return b"converted"

    scu = DicomStoreScu("NODE", open_association=peer, transcode=transcode)
    (result,) = scu.send(PEER, [instance(0, syntax=JPEG)])

    assert (result.status, result.sent_as) == (0, EXPLICIT)
    assert asked == [(b"data", JPEG, EXPLICIT)]
    assert peer.sent == [b"converted"]


def test_instance_that_cannot_be_converted_fails_alone_and_says_why() -> None:
    peer = FakePeer(accepts=lambda _sop_class, syntax: syntax == EXPLICIT)

    def transcode(_data_set: Any, _stored: str, _wanted: str, _receiver: str) -> bytes:
        raise CannotTranscode("its conversion crashed (exit code -6)")

    scu = DicomStoreScu("NODE", open_association=peer, transcode=transcode)
    refused, sent = scu.send(PEER, [instance(0, syntax=JPEG), instance(1)])

    assert (refused.status, sent.status) == (None, 0)
    assert refused.comment.endswith("and its conversion crashed (exit code -6)")
