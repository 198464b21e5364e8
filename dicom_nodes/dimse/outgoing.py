"""An instance made ready for one association: which context it goes on, and its bytes in that context's syntax."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dicom_nodes.dimse.association import LARGEST_NUMBER_OF_CONTEXTS, Proposal
from dicom_nodes.dimse.messages import PresentationContext
from dicom_nodes.dimse.sop_classes import name_of
from dicom_nodes.flows.ports import Transcode
from dicom_nodes.foundation.buffers import Buffer
from dicom_nodes.model.delivery import OutgoingInstance
from dicom_nodes.model.errors import CannotTranscode, NodeError

FALLBACKS = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
"""Explicit VR little endian before implicit, which every peer must take (DICOM PS3.5 10.1)."""


def no_transcoding(_data_set: Buffer, _stored: str, _wanted: str, _receiver: str) -> Buffer:
    """The `Transcode` of whoever has none."""
    raise CannotTranscode("nothing here converts it into a transfer syntax that is accepted")


@dataclass(frozen=True, slots=True)
class Prepared:
    """Ready to be sent on `context`, or the reason why not; `sent_as` is the transfer syntax it was converted to."""

    instance: OutgoingInstance
    context: PresentationContext | None = None
    data_set: Buffer = b""
    failure: str = ""
    sent_as: str = ""


class Preparation:
    """Prepares instances for the contexts that one receiver accepted; used by one thread at a time."""

    def __init__(self, receiver: str, contexts: Iterable[PresentationContext], transcode: Transcode) -> None:
        self._receiver, self._transcode = receiver, transcode
        self._contexts = {(c.abstract_syntax, c.transfer_syntax): c for c in reversed(tuple(contexts))}

    def __call__(self, instance: OutgoingInstance) -> Prepared:
        """Read the instance in the syntax it is stored in where that is accepted, otherwise convert it."""
        context = self._context_for(instance)
        if context is None:
            return Prepared(instance, failure=not_accepted(self._receiver, instance))
        try:
            data_set = instance.read_data_set()
            if not len(data_set):
                return Prepared(instance, failure="the stored data set is empty")
            if context.transfer_syntax == instance.transfer_syntax_uid:
                return Prepared(instance, context, data_set)
            stored, wanted = instance.transfer_syntax_uid, context.transfer_syntax
            converted = self._transcode(data_set, stored, wanted, self._receiver)
        except CannotTranscode as error:
            return Prepared(instance, failure=f"{not_accepted(self._receiver, instance)}, and {error}")
        except NodeError as error:
            return Prepared(instance, failure=str(error))
        return Prepared(instance, context, converted, sent_as=context.transfer_syntax)

    def _context_for(self, instance: OutgoingInstance) -> PresentationContext | None:
        wanted = (instance.transfer_syntax_uid, *FALLBACKS)
        found = (self._contexts.get((instance.sop_class_uid, syntax)) for syntax in wanted)
        return next((context for context in found if context is not None), None)


def not_accepted(receiver: str, instance: OutgoingInstance) -> str:
    sop_class, syntax = name_of(instance.sop_class_uid), name_of(instance.transfer_syntax_uid)
    return f"{receiver} does not accept {sop_class} in {syntax}"


def proposals_for(instances: Iterable[OutgoingInstance]) -> list[Proposal]:
    """A context for each pair that is to be sent, then one for each SOP class with what it could be converted to."""
    pairs = dict.fromkeys((instance.sop_class_uid, instance.transfer_syntax_uid) for instance in instances)
    stored = [Proposal(sop_class, (syntax,)) for sop_class, syntax in pairs]
    fallbacks = [
        Proposal(sop_class, others)
        for sop_class in dict.fromkeys(sop_class for sop_class, _ in pairs)
        if (others := tuple(syntax for syntax in FALLBACKS if (sop_class, syntax) not in pairs))
    ]
    return stored + fallbacks


def batches(instances: Sequence[OutgoingInstance]) -> list[list[OutgoingInstance]]:
    """Instances in order, cut where one association would need more contexts than it may have."""
    cut: list[list[OutgoingInstance]] = [[]]
    pairs: set[tuple[str, str]] = set()
    classes: set[str] = set()
    for instance in instances:
        pair = (instance.sop_class_uid, instance.transfer_syntax_uid)
        if pair not in pairs:
            if len(pairs) + 1 + len(classes | {pair[0]}) > LARGEST_NUMBER_OF_CONTEXTS:
                cut.append([])
                pairs, classes = set(), set()
            pairs.add(pair)
            classes.add(pair[0])
        cut[-1].append(instance)
    return [batch for batch in cut if batch]
