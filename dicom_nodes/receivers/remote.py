"""The main process's register, spool and places as a receiver's parts use them."""

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import NoneType

from dicom_nodes.config import Peer
from dicom_nodes.dimse.pacing import Pace, largest_read_of
from dicom_nodes.flows.register import Candidate
from dicom_nodes.flows.workflow_ports import CommitmentRequests
from dicom_nodes.model.commitment import CommitmentRequest, CommitmentResult
from dicom_nodes.model.errors import OutOfResources
from dicom_nodes.model.instance import QuarantinedInstance, SpooledInstance, StoredObject
from dicom_nodes.model.report import IncomingReport, RefusedReport
from dicom_nodes.receivers import questions as q
from dicom_nodes.receivers.link import Conversation, Link
from dicom_nodes.rules.ingest import KeepAside, Known, Take, Verdict
from dicom_nodes.spool.lending import Loan

_ROOM_HOLDS_S = 0.1
"""How long an answer about room is good: what it guards has a reserve."""


@dataclass(slots=True)
class _Judgement:
    verdict: Verdict
    conversation: Conversation
    is_open: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_open = isinstance(self.verdict, Take)

    def note(self, spooled: SpooledInstance) -> None:
        self.is_open = False
        self.conversation.ask(q.Note(spooled.location, spooled.size_bytes), NoneType)

    def give_up(self) -> None:
        self.is_open = False
        self.conversation.ask(q.GiveUp(), NoneType)


class RemoteRegister:
    """Implements `flows.register.Register`, and `spool.lending.Lender` beside it."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._room: tuple[float, q.Room] | None = None

    @property
    def is_behind(self) -> bool:
        return self._room_now().is_behind

    @contextmanager
    def judged(self, candidate: Candidate) -> Iterator[_Judgement]:
        with _or_out_of_resources(), self._link.conversation() as conversation:
            judgement = _Judgement(conversation.ask(q.Judge(candidate), Take, Known, KeepAside), conversation)
            try:
                yield judgement
            except OutOfResources:
                if judgement.is_open:  # the spool says so, and that nothing is left behind
                    judgement.give_up()
                raise
            finally:
                if judgement.is_open:  # kept or not, nobody knows: its segments will tell
                    conversation.spoil()

    def take_report(self, sop_instance_uid: str, report: IncomingReport) -> None:
        with _or_out_of_resources():
            self._link.ask(q.TakeReport(sop_instance_uid, report), NoneType)

    def keep_refused(self, refused: RefusedReport) -> None:
        with _or_out_of_resources():
            self._link.ask(q.KeepRefused(refused), NoneType)

    def quarantined_at(self, sop_instance_uid: str, digest: str) -> str | None:
        with _or_out_of_resources():
            found: str | None = self._link.ask(q.QuarantinedAt(sop_instance_uid, digest), str, NoneType)
            return found

    def note_quarantined(self, quarantined: QuarantinedInstance) -> None:
        with _or_out_of_resources():
            self._link.ask(q.NoteQuarantined(quarantined), NoneType)

    # -- spool.lending.Lender --------------------------------------------------------------------------------------
    def borrow(self, room_bytes: int) -> tuple[Loan, int]:
        with _or_os_error(), self._link.conversation() as conversation:
            loan, descriptor = conversation.ask_for_descriptor(q.Borrow(room_bytes), Loan)
            if descriptor is None:  # no room for it here (MSG_CTRUNC): the segment is the node's again, as it was
                conversation.ask(q.GiveBack(loan), NoneType)
                raise OSError(errno.EMFILE, "a segment's descriptor did not arrive")
            return loan, descriptor

    def give_back(self, loan: Loan) -> None:
        with _or_os_error():
            self._link.ask(q.GiveBack(loan), NoneType)

    def reusable_bytes(self) -> int:
        return self._room_now().reusable_bytes

    def _room_now(self) -> q.Room:
        known = self._room
        if known is None or time.monotonic() - known[0] > _ROOM_HOLDS_S:
            with _or_out_of_resources():
                known = self._room = (time.monotonic(), self._link.ask(q.AskRoom(), q.Room))
        return known[1]


class RemotePlaces:
    """Implements `dimse.admission.Places`: counted for the whole node."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def takes_place(self, peer: Peer) -> bool:
        return self._link.ask(q.TakePlace(peer.ae_title), bool) is True

    def left(self, peer: Peer) -> None:
        with suppress(q.MainFailed):
            self._link.ask(q.LeavePlace(peer.ae_title), NoneType)


class RemoteNode:
    """What else a receiver's parts ask of the node, or tell it."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def association_opened(self, association_id: str) -> None:
        self._link.ask(q.Opened(association_id), NoneType)

    def association_closed(self, association_id: str) -> None:
        with suppress(q.MainFailed):
            self._link.ask(q.Closed(association_id), NoneType)

    def say_refused(self, why: str) -> None:
        with suppress(q.MainFailed):
            self._link.ask(q.Refused(why), NoneType)

    def say_damaged(self, location: str) -> None:
        with suppress(q.MainFailed):
            self._link.ask(q.Damaged(location), NoneType)

    def caught_up(self) -> bool:
        return self._link.ask(q.CatchUp(), bool) is True

    def uncatalogued(self) -> list[StoredObject]:
        found: list[StoredObject] = self._link.ask(q.Uncatalogued(), list)
        return found

    def pace_of(self, peer: Peer) -> Pace | None:
        """All associations of the peer share it, in whichever process they are."""
        if peer.maximum_mib_per_s is None:
            return None
        ae_title = peer.ae_title
        take: Callable[[int], float] = lambda size: self._link.ask(q.HasRead(ae_title, size), float)  # noqa: E731
        return Pace(take, largest_read_of(peer.maximum_mib_per_s))


class RemoteCommitments:
    """Implements `services.CommitmentService`: kept here, judged by the main process."""

    def __init__(self, store: CommitmentRequests, link: Link, checkpoint: Callable[[str], None]) -> None:
        self._store, self._link, self._checkpoint = store, link, checkpoint

    def take(self, request: CommitmentRequest) -> None:
        self._store.take(request)
        self._checkpoint("commitment.taken")

    def report_here(self, request: CommitmentRequest, say: Callable[[CommitmentResult], bool]) -> None:
        with self._link.conversation() as conversation:
            result = conversation.ask(q.ReportHere(request), CommitmentResult, NoneType)
            if isinstance(result, CommitmentResult):
                is_understood = False
                try:
                    is_understood = say(result)
                finally:
                    conversation.ask(q.Said(is_understood), NoneType)


@contextmanager
def _or_out_of_resources() -> Iterator[None]:
    """What cannot be asked is refused, and may be sent again (A700)."""
    try:
        yield
    except q.MainFailed as failure:
        raise OutOfResources(f"{failure}, try again") from None


@contextmanager
def _or_os_error() -> Iterator[None]:
    try:
        yield
    except q.MainFailed as failure:
        raise OSError(0, str(failure)) from None
