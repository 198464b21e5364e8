"""Where the main process answers one receiver, each of its conversations in a thread; and what it puts right once that
receiver has died.

What a receiver that died had been allowed to keep stays claimed until its segments were walked: an instance that it
made durable and could not tell of is noted then, as after a start, and nothing that contradicts it came in between.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from dicom_nodes.config import NodeSettings, Peer
from dicom_nodes.dimse.admission import NodePlaces
from dicom_nodes.dimse.pacing import PeerPaces
from dicom_nodes.flows.associations import OpenAssociations
from dicom_nodes.flows.commit_storage import CommitStorage
from dicom_nodes.flows.ports import CaughtUp, Checkpoint
from dicom_nodes.flows.refusals import Refusals
from dicom_nodes.flows.register import Candidate, CatalogueRegister, Judgement
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.model.commitment import CommitmentResult
from dicom_nodes.model.errors import NodeError
from dicom_nodes.model.instance import QuarantinedInstance, SpooledInstance
from dicom_nodes.receivers import questions as q
from dicom_nodes.receivers.channel import Channel, ChannelClosed
from dicom_nodes.rules.ingest import KeepAside, Known, Take
from dicom_nodes.spool.catalogue import SqlCatalogue
from dicom_nodes.spool.catalogue_rows import as_kept_aside
from dicom_nodes.spool.location import SegmentLife
from dicom_nodes.spool.segments import SegmentSpool

_WALK_AGAIN_S = 1.0
_OUTCOME_WITHIN_S = 60.0
"""A receiver that was let keep an instance and says nothing of it for so long hangs, and is ended: UID and study would
stay claimed with it."""


@dataclass(frozen=True, slots=True)
class MainParts:
    """The node as its receivers ask it."""

    settings: NodeSettings
    register: CatalogueRegister
    catalogue: SqlCatalogue
    spool: SegmentSpool
    associations: OpenAssociations
    places: NodePlaces
    paces: PeerPaces
    refusals: Refusals
    commit_storage: CommitStorage
    caught_up: CaughtUp
    checkpoint: Checkpoint


class Desk:
    """For one life of one receiver; `kill` ends its process."""

    def __init__(self, parts: MainParts, kill: Callable[[], None]) -> None:
        self._parts, self._kill = parts, kill
        self._loans = parts.spool.loans()
        self._associations: set[str] = set()
        self._places: list[Peer] = []
        self._is_gone = False
        self._lock = threading.Lock()
        self._left: dict[str, SpooledInstance] = {}
        self._aside: dict[str, QuarantinedInstance] = {}
        self._is_settled = threading.Event()
        self._has_given_up = False

    # -- while it lives --------------------------------------------------------------------------------------------
    def serve(self, channel: Channel) -> None:
        """Answer one conversation until it ends."""
        try:
            while True:
                self._answer(channel, channel.receive())
        except ChannelClosed:
            pass
        except Exception as error:  # noqa: BLE001 - a thread's boundary: recorded; a receiver we misunderstand ends
            event_log().error("receiver.misunderstood", exc_info=error)
            self._kill()
        finally:
            channel.close()

    def _answer(self, channel: Channel, question: q.Question) -> None:
        try:
            match question:
                case q.Judge(candidate):
                    self._judge(channel, candidate)
                    return
                case q.ReportHere(request):
                    self._parts.commit_storage.report_here(request, lambda result: _say(channel, result))
                    value: object = None
                case q.Borrow(room_bytes):
                    self._lend(channel, room_bytes)
                    return
                case _:
                    value = self._plain(question)
        except ChannelClosed:
            raise
        except (NodeError, OSError) as error:
            channel.send(q.Failure(error))
        except Exception as error:  # noqa: BLE001 - recorded and told to the receiver, whose peer is told by it
            event_log().error("receiver.not_answered", question=type(question).__name__, exc_info=error)
            channel.send(q.Failure(q.MainFailed("the main process failed")))
        else:
            channel.send(q.Answer(value))

    def _lend(self, channel: Channel, room_bytes: int) -> None:
        loan, descriptor = self._loans.lend(room_bytes)
        try:
            channel.send(q.Answer(loan), descriptor)
        except ChannelClosed:  # nobody has it
            self._loans.take_back(loan)
            raise

    def _plain(self, question: q.Question) -> object:
        """What is answered at once and holds nothing."""
        parts = self._parts
        match question:
            case q.AskRoom():
                return q.Room(parts.spool.reusable_bytes, parts.register.is_behind)
            case q.QuarantinedAt(uid, digest):
                return parts.register.quarantined_at(uid, digest)
            case q.TakePlace(ae_title):
                return self._takes_place(ae_title)
            case q.HasRead(ae_title, size_bytes):
                return self._seconds_to_wait(ae_title, size_bytes)
            case q.CatchUp():
                return parts.caught_up()
            case q.Uncatalogued():
                return parts.catalogue.uncatalogued()
        self._be_told(question)
        return None

    def _be_told(self, question: q.Question) -> None:
        parts = self._parts
        match question:
            case q.NoteQuarantined(quarantined):
                parts.register.note_quarantined(quarantined)
            case q.TakeReport(uid, report):
                parts.register.take_report(uid, report)
            case q.KeepRefused(refused):
                parts.register.keep_refused(refused)
            case q.GiveBack(loan):
                self._loans.take_back(loan)
            case q.LeavePlace(ae_title):
                self._leaves_place(ae_title)
            case q.Opened(association_id):
                self._opened(association_id)
            case q.Closed(association_id):
                self._closed(association_id)
            case q.Refused(why):
                parts.refusals.note(why)
            case q.Damaged(location):
                parts.spool.damaged.add(location)
            case _:
                raise q.MainFailed(f"{type(question).__name__} is not expected here")

    def _judge(self, channel: Channel, candidate: Candidate) -> None:
        with self._parts.register.judged(candidate) as judgement:
            if not isinstance(judgement.verdict, Take):
                channel.send(q.Answer(judgement.verdict))
                return
            try:
                channel.send(q.Answer(judgement.verdict))
                self._take_outcome(channel.receive(_OUTCOME_WITHIN_S), candidate, judgement)
            except Exception:
                self._note_what_is_left(candidate, judgement)
                raise
        channel.send(q.Answer())

    def _take_outcome(self, outcome: object, candidate: Candidate, judgement: Judgement) -> None:
        match outcome:
            case q.Note(location, size_bytes):
                self._parts.checkpoint("receiver.kept")
                header, provenance = candidate.header, candidate.provenance
                judgement.note(SpooledInstance(header, provenance, candidate.digest, size_bytes, location))
                self._parts.checkpoint("receiver.noted")
            case q.GiveUp():
                pass
            case _:
                raise q.MainFailed(f"{type(outcome).__name__} is not expected here")

    def _note_what_is_left(self, candidate: Candidate, judgement: Judgement) -> None:
        """Nobody can tell what became of it: the receiver is ended, and its segments tell what it did.

        Everything stays claimed meanwhile.
        """
        self._kill()
        self._is_settled.wait()
        if self._has_given_up:
            raise q.MainFailed("the node stops and does not know what became of an instance")
        left = self._left.get(candidate.header.sop_instance_uid)
        if left is not None and left.digest == candidate.digest:
            judgement.note(left)

    # -- limits and associations -----------------------------------------------------------------------------------
    def _takes_place(self, ae_title: str) -> bool:
        peer = self._parts.settings.peer(ae_title)
        with self._lock:
            if self._is_gone or peer is None or not self._parts.places.takes_place(peer):
                return False
            self._places.append(peer)
            return True

    def _leaves_place(self, ae_title: str) -> None:
        with self._lock:
            peer = next((peer for peer in self._places if peer.ae_title == ae_title), None)
            if peer is not None:
                self._places.remove(peer)
                self._parts.places.left(peer)

    def _opened(self, association_id: str) -> None:
        with self._lock:
            if not self._is_gone:
                self._associations.add(association_id)
                self._parts.associations.opened(association_id)

    def _closed(self, association_id: str) -> None:
        with self._lock:
            self._associations.discard(association_id)
            self._parts.associations.closed(association_id)

    def _seconds_to_wait(self, ae_title: str, size_bytes: int) -> float:
        peer = self._parts.settings.peer(ae_title)
        pace = None if peer is None else self._parts.paces.of(peer)
        return 0.0 if pace is None else pace.take(size_bytes)

    # -- once it has died ------------------------------------------------------------------------------------------
    def settle(self, is_stopping: Callable[[], bool], pause: Callable[[float], object]) -> None:
        """Take over what the receiver left, whose process has ended; returns when the node is as if it never was.

        A disk or a database that does not let us is tried again until it does, or the node stops; nothing is let go
        before. The next start walks the segments then, and until then nobody takes what they may hold.
        """
        self._loans.close()
        self._forget_places()
        while not self._has_walked():
            if is_stopping():
                self._give_up()
                return
            pause(_WALK_AGAIN_S)
        self._is_settled.set()
        for quarantined in self._aside.values():
            self._adopt(quarantined, self._parts.register.note_quarantined)
        for spooled in self._left.values():
            self._adopt(spooled, self._take_in)
        self._forget_associations()

    def _give_up(self) -> None:
        self._parts.register.close()
        self._has_given_up = True
        self._is_settled.set()
        self._forget_associations()

    def _has_walked(self) -> bool:
        """Walk every segment that is not walked yet; whether that was all of them."""
        for life in self._loans.lives():
            try:
                self._walk(life)
            except Exception as error:  # noqa: BLE001 - recorded, and tried again; the others do not wait for it
                event_log().error("receiver.not_walked", exc_info=error)
        return not self._loans.lives()

    def _walk(self, life: SegmentLife) -> None:
        for left in self._parts.spool.reclaimed(self._loans, life, self._parts.catalogue.listed(life)):
            if isinstance(left, QuarantinedInstance):
                self._aside[left.location] = left
            else:
                self._left[left.header.sop_instance_uid] = left

    def _take_in(self, spooled: SpooledInstance) -> None:
        """As if it were told of now; what the receiver did tell of is known in this very place."""
        candidate = Candidate(spooled.header, spooled.digest, spooled.provenance, "")
        with self._parts.register.judged(candidate) as judgement:
            match judgement.verdict:
                case Take():
                    judgement.note(spooled)
                case Known():
                    known = self._parts.catalogue.find_instance(spooled.header.sop_instance_uid)
                    if known is None or known.location != spooled.location:
                        self._parts.catalogue.note_surplus(spooled.location)
                case KeepAside(refusal):
                    self._parts.register.note_quarantined(as_kept_aside(spooled, str(refusal)))

    def _forget_places(self) -> None:
        with self._lock:
            self._is_gone = True
            for peer in self._places:
                self._parts.places.left(peer)
            self._places.clear()

    def _forget_associations(self) -> None:
        """Their studies may settle; so only once what they sent is known."""
        with self._lock:
            for association_id in self._associations:
                self._parts.associations.closed(association_id)

    @staticmethod
    def _adopt(left: object, take: Callable[..., None]) -> None:
        """One that cannot be taken now is found again by the next start: its segment is not vouched for without it."""
        try:
            take(left)
        except Exception as error:  # noqa: BLE001 - recorded; see above
            event_log().error("receiver.not_taken_over", exc_info=error)


def _say(channel: Channel, result: CommitmentResult) -> bool:
    channel.send(q.Answer(result))
    said = channel.receive()
    return isinstance(said, q.Said) and said.is_understood
