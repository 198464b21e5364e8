"""Retrieves a study from another node by C-GET, Study Root (DICOM PS3.4 C.4.3)."""

from collections.abc import Callable, Sequence

from dicom_nodes.dimse.association import LARGEST_NUMBER_OF_CONTEXTS, NoResponse, OpenAssociation, Proposal
from dicom_nodes.dimse.data_set_sink import draft_sinks, new_holding_sink
from dicom_nodes.dimse.identifier import encode_identifier
from dicom_nodes.dimse.messages import GetRequest, Response, StoreRequest, SubOperations
from dicom_nodes.dimse.requester import AssociationRequester, Timeouts
from dicom_nodes.dimse.sop_classes import STUDY_ROOT_GET
from dicom_nodes.flows.ports import Draft
from dicom_nodes.model.delivery import ApplicationEntity, RetrievedInstance, RetrieveSummary
from dicom_nodes.model.errors import PeerRefused, PeerUnavailable
from dicom_nodes.model.query import QueryLevel

_EXPLICIT_LITTLE, _IMPLICIT_LITTLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


class DicomRetrieveScu:
    """Implements `ports.RetrieveScu`."""

    def __init__(
        self, own_ae_title: str, *, timeouts: Timeouts | None = None, open_association: OpenAssociation | None = None
    ) -> None:
        """`open_association` stands in for the network in tests."""
        self._open = open_association or AssociationRequester(own_ae_title, timeouts)

    def get_study(
        self,
        source: ApplicationEntity,
        study_instance_uid: str,
        contexts: Sequence[tuple[str, str]],
        receive: Callable[[RetrievedInstance], int],
        draft: Callable[..., Draft] | None = None,
    ) -> RetrieveSummary:
        """As `ports.RetrieveScu.get_study`; at most 127 different (SOP class, transfer syntax) pairs in a study."""
        pairs = list(dict.fromkeys(contexts))
        if len(pairs) >= LARGEST_NUMBER_OF_CONTEXTS:
            raise PeerRefused(f"{len(pairs)} kinds of instances do not fit into one association")
        proposals = [Proposal(STUDY_ROOT_GET, (_EXPLICIT_LITTLE, _IMPLICIT_LITTLE))]
        proposals += [Proposal(sop_class, (syntax,), as_scp=True) for sop_class, syntax in pairs]
        association = self._open(source, proposals)
        finished = False
        try:
            context = next((c for c in association.contexts if c.abstract_syntax == STUDY_ROOT_GET), None)
            if context is None:
                finished = True
                raise PeerRefused(f"{source.ae_title} accepts the association, refuses C-GET")
            identifier = encode_identifier(
                QueryLevel.STUDY, {"StudyInstanceUID": study_instance_uid}, context.transfer_syntax
            )
            request = GetRequest(context, 1, STUDY_ROOT_GET, identifier)
            open_sink = new_holding_sink if draft is None else draft_sinks(draft)
            answer = association.retrieve(request, lambda store: Response(receive(_retrieved(store))), open_sink)
            finished = True
        except NoResponse as loss:
            raise PeerUnavailable(str(loss)) from None
        finally:
            if finished:
                association.release()
            else:
                association.abort()
        return _summary(answer)


def _retrieved(store: StoreRequest) -> RetrievedInstance:
    assert store.received is not None
    return RetrievedInstance(store.sop_class_uid, store.sop_instance_uid, store.context.transfer_syntax, store.received)


def _summary(answer: Response) -> RetrieveSummary:
    counters = answer.sub_operations or SubOperations(0, 0, 0, 0)
    return RetrieveSummary(answer.status, counters.completed, counters.failed, counters.warning, answer.comment)
