"""Two providers joined without a network, and what tests read out of them."""

from collections.abc import Iterable
from itertools import groupby

from dicom_nodes.upper_layer.association_pdus import AssociateAccept, AssociateRequest
from dicom_nodes.upper_layer.dimse_provider import CommandReceived, DimseEvent, DimseProvider
from dicom_nodes.upper_layer.events import NEED_DATA, ArtimTimer, CloseTransport
from dicom_nodes.upper_layer.pdu_decoder import PDataFragment
from dicom_nodes.upper_layer.presentation_contexts import AnsweredContext, ProposedContext
from dicom_nodes.upper_layer.provider import Side, UpperLayerProvider
from dicom_nodes.upper_layer.user_information import UserInformation

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
HOUSEKEEPING = (ArtimTimer, CloseTransport)

REQUEST = AssociateRequest(
    "NODE",
    "CT1",
    (ProposedContext(1, CT, (EXPLICIT, IMPLICIT)), ProposedContext(3, MR, (IMPLICIT,))),
    UserInformation(16_384, "1.2.826.0.1.3680043.1", "CT 1.0"),
)


def accept(maximum_length: int = 16_384) -> AssociateAccept:
    contexts = (AnsweredContext(1, 0, EXPLICIT), AnsweredContext(3, 0, IMPLICIT))
    return AssociateAccept("NODE", "CT1", contexts, UserInformation(maximum_length, "1.2.826.0.1.3680043.2"))


class Peer:
    """One side: a provider with its messages."""

    def __init__(self, side: Side, *, largest_p_data: int | None = None) -> None:
        self.upper = UpperLayerProvider(side, largest_p_data=largest_p_data)
        self.dimse = DimseProvider(self.upper)
        self.dimse.use_contexts({1, 3})
        self.events: list[DimseEvent] = []

    def take(self, wire: bytes) -> list[DimseEvent]:
        """Feed bytes; return what happened, with views turned into bytes that stay."""
        self.upper.receive_data(wire)
        new = self.pending()
        self.events += new
        return new

    def pending(self) -> list[DimseEvent]:
        new: list[DimseEvent] = []
        while (event := self.dimse.next_event()) is not NEED_DATA:
            if isinstance(event, PDataFragment):
                event = event._replace(data=memoryview(bytes(event.data)))
            new.append(event)
        return new

    def sent(self) -> bytes:
        return b"".join(self.upper.data_to_send())


def acceptor(*, largest_p_data: int | None = None) -> Peer:
    """Connected, waiting for a request (Sta2)."""
    peer = Peer(Side.ACCEPTOR, largest_p_data=largest_p_data)
    peer.upper.connected()
    peer.pending()
    return peer


def requester() -> Peer:
    """Connected, its request sent (Sta5)."""
    peer = Peer(Side.REQUESTOR)
    peer.upper.associate(REQUEST)
    peer.upper.connected()
    return peer


def established(maximum_length: int = 16_384, *, largest_p_data: int | None = None) -> tuple[Peer, Peer]:
    """(requester, acceptor), both in Sta6 with nothing pending."""
    calling, called = requester(), acceptor(largest_p_data=largest_p_data)
    called.take(calling.sent())
    called.upper.accept(accept(maximum_length))
    calling.take(called.sent())
    called.events.clear()
    calling.events.clear()
    return calling, called


def indications(events: Iterable[DimseEvent]) -> list[DimseEvent]:
    return [event for event in events if not isinstance(event, HOUSEKEEPING)]


def messages(events: Iterable[DimseEvent]) -> list[object]:
    """Events with the fragments of a data set joined: what must not depend on how the bytes came."""
    joined: list[object] = []
    for is_data, group in groupby(events, lambda event: isinstance(event, PDataFragment)):
        if not is_data:
            joined += group
            continue
        content, context_id = b"", 0
        for fragment in group:
            assert isinstance(fragment, PDataFragment)
            content, context_id = content + bytes(fragment.data), fragment.context_id
            if fragment.is_last:
                joined.append((context_id, content))
                content = b""
        if content:
            joined.append((context_id, content, "unfinished"))
    return joined


__all__ = ["CommandReceived"]
