"""Retrieves a study, or named instances of it, from another node by C-GET, Study Root (DICOM PS3.4 C.4.3)."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from dicom_nodes.dimse.association import LARGEST_NUMBER_OF_CONTEXTS, NoResponse, OpenAssociation, Proposal
from dicom_nodes.dimse.data_set_sink import draft_sinks, new_holding_sink
from dicom_nodes.dimse.identifier import encode_identifier
from dicom_nodes.dimse.messages import GetRequest, Response, StoreRequest, SubOperations
from dicom_nodes.dimse.requester import AssociationRequester, Timeouts
from dicom_nodes.dimse.sop_classes import STUDY_ROOT_GET
from dicom_nodes.flows.ports import Draft
from dicom_nodes.model.delivery import ApplicationEntity, RetrievedInstance, RetrieveSummary
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.model.errors import PeerRefused, PeerUnavailable
from dicom_nodes.model.query import QueryLevel

_EXPLICIT_LITTLE, _IMPLICIT_LITTLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
_UIDS_AT_ONCE = 900
"""A UI element holds at most 65,534 bytes in Explicit VR (DICOM PS3.5 7.1.2), a UID 64 and its backslash."""


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
        *,
        only: Mapping[str, Sequence[str]] | None = None,
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
            open_sink = new_holding_sink if draft is None else draft_sinks(draft)
            answers = []
            for number, (level, keys) in enumerate(_asked(study_instance_uid, only)):
                identifier = encode_identifier(level, keys, context.transfer_syntax)
                request = GetRequest(context, number % 0xFFFF + 1, STUDY_ROOT_GET, identifier)
                answers.append(
                    association.retrieve(request, lambda store: Response(receive(_retrieved(store))), open_sink)
                )
            finished = True
        except NoResponse as loss:
            raise PeerUnavailable(str(loss)) from None
        finally:
            if finished:
                association.release()
            else:
                association.abort()
        return _summary(answers)


def _retrieved(store: StoreRequest) -> RetrievedInstance:
    assert store.received is not None
    return RetrievedInstance(store.sop_class_uid, store.sop_instance_uid, store.context.transfer_syntax, store.received)


def _asked(study: str, only: Mapping[str, Sequence[str]] | None) -> Iterator[tuple[QueryLevel, dict[str, str]]]:
    """(level, unique keys) of each C-GET: a hierarchical one names one series, and any number of its instances."""
    if only is None:
        yield QueryLevel.STUDY, {"StudyInstanceUID": study}
        return
    for series, instances in only.items():
        for first in range(0, len(instances), _UIDS_AT_ONCE):
            some = "\\".join(instances[first : first + _UIDS_AT_ONCE])
            yield (
                QueryLevel.IMAGE,
                {"StudyInstanceUID": study, "SeriesInstanceUID": series, "SOPInstanceUID": some},
            )


def _summary(answers: Sequence[Response]) -> RetrieveSummary:
    """Of all answers together; the status and the words are those of the first that is no success."""
    told = next((answer for answer in answers if answer.status != Status.SUCCESS), answers[-1])
    counters = [answer.sub_operations or SubOperations(0, 0, 0, 0) for answer in answers]
    return RetrieveSummary(
        told.status,
        sum(counted.completed for counted in counters),
        sum(counted.failed for counted in counters),
        sum(counted.warning for counted in counters),
        told.comment,
    )
