"""Sends instances by C-STORE, bytes as stored, with an answer for each (DICOM PS3.4 annex B)."""

from collections.abc import Callable, Iterator, Sequence

from dicom_nodes.dimse.association import (
    LARGEST_NUMBER_OF_CONTEXTS,
    NoContextAccepted,
    NoResponse,
    OpenAssociation,
    Proposal,
    RequestedAssociation,
)
from dicom_nodes.dimse.messages import MoveOriginator, PresentationContext, StoreRequest
from dicom_nodes.dimse.requester import AssociationRequester, Timeouts
from dicom_nodes.dimse.sop_classes import name_of
from dicom_nodes.model.delivery import ApplicationEntity, OutgoingInstance, StoreResult
from dicom_nodes.model.errors import NodeError, PeerUnavailable

_Pair = tuple[str, str]
_LOST_IN_A_ROW = 2


def _never() -> bool:
    return False


class DicomStoreScu:
    """Implements `ports.StoreScu`; opens an association per call, and another when one is lost."""

    def __init__(
        self, own_ae_title: str, *, timeouts: Timeouts | None = None, open_association: OpenAssociation | None = None
    ) -> None:
        """`open_association` stands in for the network in tests."""
        self._open = open_association or AssociationRequester(own_ae_title, timeouts)

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
        An instance whose answer does not come gets status None, and the rest goes on in a new association; two
        lost answers in a row raise PeerUnavailable.
        """
        for batch in _batches(instances):
            yield from self._send_batch(to, batch, originator, is_cancelled)

    def _send_batch(
        self,
        to: ApplicationEntity,
        batch: Sequence[OutgoingInstance],
        originator: MoveOriginator | None,
        is_cancelled: Callable[[], bool],
    ) -> Iterator[StoreResult]:
        left, lost = list(batch), 0
        while left and not is_cancelled():
            try:
                association = self._open(to, [Proposal(*pair) for pair in _proposals(left)])
            except NoContextAccepted:
                yield from (_not_accepted(to, instance) for instance in left)
                return
            try:
                while left and not is_cancelled():
                    instance = left.pop(0)
                    yield _store(association, to, instance, originator)
                    lost = 0
            except NoResponse as loss:
                lost += 1
                yield StoreResult(instance.sop_instance_uid, None, str(loss))
                if lost >= _LOST_IN_A_ROW:
                    raise PeerUnavailable(str(loss)) from None
            finally:
                association.release()


def _store(
    association: RequestedAssociation,
    to: ApplicationEntity,
    instance: OutgoingInstance,
    originator: MoveOriginator | None,
) -> StoreResult:
    context = _context_for(association.contexts, instance)
    if context is None:
        return _not_accepted(to, instance)
    try:
        data_set = instance.read_data_set()
    except NodeError as error:
        return StoreResult(instance.sop_instance_uid, None, str(error))
    if not data_set:
        return StoreResult(instance.sop_instance_uid, None, "the stored data set is empty")
    response = association.request(
        StoreRequest(context, 1, instance.sop_class_uid, instance.sop_instance_uid, data_set, originator)
    )
    return StoreResult(instance.sop_instance_uid, response.status)


def _context_for(contexts: Sequence[PresentationContext], instance: OutgoingInstance) -> PresentationContext | None:
    wanted = (instance.sop_class_uid, instance.transfer_syntax_uid)
    return next((context for context in contexts if (context.abstract_syntax, context.transfer_syntax) == wanted), None)


def _not_accepted(to: ApplicationEntity, instance: OutgoingInstance) -> StoreResult:
    sop_class, syntax = name_of(instance.sop_class_uid), name_of(instance.transfer_syntax_uid)
    return StoreResult(instance.sop_instance_uid, None, f"{to.ae_title} does not accept {sop_class} in {syntax}")


def _proposals(instances: Sequence[OutgoingInstance]) -> Iterator[tuple[str, tuple[str]]]:
    pairs = dict.fromkeys((instance.sop_class_uid, instance.transfer_syntax_uid) for instance in instances)
    yield from ((sop_class, (syntax,)) for sop_class, syntax in pairs)


def _batches(instances: Sequence[OutgoingInstance]) -> Iterator[Sequence[OutgoingInstance]]:
    """Instances in order, cut where one association would need more contexts than it may have."""
    batch: list[OutgoingInstance] = []
    pairs: set[_Pair] = set()
    for instance in instances:
        pair = (instance.sop_class_uid, instance.transfer_syntax_uid)
        if pair not in pairs and len(pairs) == LARGEST_NUMBER_OF_CONTEXTS:
            yield batch
            batch, pairs = [], set()
        pairs.add(pair)
        batch.append(instance)
    if batch:
        yield batch
