"""Sends instances by C-STORE with an answer for each, on one association or on several (DICOM PS3.4 annex B)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from dicom_nodes.dimse.association import NoContextAccepted, NoResponse, OpenAssociation, Proposal
from dicom_nodes.dimse.messages import MoveOriginator
from dicom_nodes.dimse.outgoing import Preparation, batches, no_transcoding, not_accepted, proposals_for
from dicom_nodes.dimse.parallel import in_parallel
from dicom_nodes.dimse.read_ahead import ReadAhead, Unsent
from dicom_nodes.dimse.requester import AssociationRequester, Timeouts
from dicom_nodes.dimse.store_pipeline import StorePipeline
from dicom_nodes.flows.ports import Transcode
from dicom_nodes.model.delivery import ApplicationEntity, OutgoingInstance, StoreResult
from dicom_nodes.model.errors import PeerUnavailable

_LOST_IN_A_ROW = 2
_WORTH_AN_ASSOCIATION = 8
"""So many instances for each association that is opened beside the first."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be sent where; the associations of one call share it."""

    to: ApplicationEntity
    unsent: Unsent
    proposals: Sequence[Proposal]
    originator: MoveOriginator | None


class DicomStoreScu:
    """Implements `ports.StoreScu`; opens associations per call, and another when one is lost."""

    def __init__(
        self,
        own_ae_title: str,
        *,
        timeouts: Timeouts | None = None,
        open_association: OpenAssociation | None = None,
        transcode: Transcode = no_transcoding,
    ) -> None:
        """`open_association` stands in for the network in tests; `transcode` is for partners that refuse a syntax."""
        self._open = open_association or AssociationRequester(own_ae_title, timeouts)
        self._transcode = transcode

    def send(
        self,
        to: ApplicationEntity,
        instances: Sequence[OutgoingInstance],
        *,
        originator: MoveOriginator | None = None,
        is_cancelled: Callable[[], bool] = _never,
    ) -> Iterator[StoreResult]:
        """As `ports.StoreScu.send`; stops before the next instance once `is_cancelled` says so.

        A partner's Error Comment goes no further: it may quote the patient, and results are logged and told.
        Instances whose answers do not come get status None, and the rest goes on in a new association; an association
        that is lost before it brought an answer, right after another was lost, raises PeerUnavailable. Results come
        in the order of the instances, where `to.parallel_associations` allows several associations as they come.
        """
        for batch in batches(instances):
            work = _Work(to, Unsent(batch), proposals_for(batch), originator)
            wanted = min(to.parallel_associations, -(-len(batch) // _WORTH_AN_ASSOCIATION))
            if wanted > 1:
                # A refusal is the others' business until none of them goes on; then one association alone decides.
                with suppress(NoContextAccepted):
                    yield from in_parallel(wanted, partial(self._send_on_one, work), is_cancelled, work.unsent)
            try:
                yield from self._send_on_one(work, is_cancelled)
            except NoContextAccepted:
                yield from _refused(work)

    def _send_on_one(self, work: _Work, is_cancelled: Callable[[], bool]) -> Iterator[StoreResult]:
        """One association at a time, until nothing is unsent; raises NoContextAccepted, with the rest left unsent."""
        lost = 0
        while work.unsent and not is_cancelled():
            association = self._open(work.to, work.proposals)
            ahead = ReadAhead(work.unsent, Preparation(work.to.ae_title, association.contexts, self._transcode))
            pipeline = StorePipeline(association, ahead, work.originator)
            try:
                for result in pipeline.results(is_cancelled):
                    lost = 0 if result.status is not None else lost
                    yield result
            except NoResponse as loss:
                lost += 1
                yield from pipeline.unanswered(str(loss))
                if lost >= _LOST_IN_A_ROW:
                    raise PeerUnavailable(str(loss)) from None
            finally:
                ahead.close()
                if pipeline.is_sound:
                    association.release()
                else:
                    association.abort()


def _refused(work: _Work) -> Iterator[StoreResult]:
    """Nobody else may be sending any more: whatever is unsent fails."""
    while (instance := work.unsent.take()) is not None:
        yield StoreResult(instance.sop_instance_uid, None, not_accepted(work.to.ae_title, instance))
