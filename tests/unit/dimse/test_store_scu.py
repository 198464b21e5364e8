"""What the C-STORE requester makes of good and bad partners; the partner is a fake, the wire is tested elsewhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from dicom_nodes.dimse.association import NoContextAccepted, NoResponse, Proposal
from dicom_nodes.dimse.messages import PresentationContext, Request, Response, StoreRequest
from dicom_nodes.dimse.store_scu import DicomStoreScu
from dicom_nodes.model.delivery import ApplicationEntity, OutgoingInstance
from dicom_nodes.model.errors import CrashConsistency, PeerUnavailable

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
        self.peer.most_outstanding = max(self.peer.most_outstanding, len(self.asked))

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
