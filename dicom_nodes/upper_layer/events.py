"""What comes out of the upper layer: indications of PS3.8 section 7, and what the transport must do."""

from dataclasses import dataclass
from enum import Enum, auto

from dicom_nodes.upper_layer.association_pdus import AssociateAccept, AssociateReject, AssociateRequest
from dicom_nodes.upper_layer.faults import AbortReason, AbortSource
from dicom_nodes.upper_layer.pdu_decoder import PDataFragment
from dicom_nodes.upper_layer.state_machine import Artim


class NeedData(Enum):
    """Nothing happens before more bytes arrive."""

    NEED_DATA = auto()


NEED_DATA = NeedData.NEED_DATA


@dataclass(frozen=True, slots=True)
class ReleaseRequested:
    """Answer with `respond_to_release`; in a collision both sides asked at once (DICOM PS3.8 9.2.2, AR-8)."""

    collision: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseConfirmed:
    """The peer answered our release."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """The association is over: by the peer, by a fault of the peer, or because the connection broke.

    `by_peer` says that an A-ABORT came in; `words` name the fault for the log and hold nothing the peer sent.
    """

    source: int
    reason: int
    words: str
    by_peer: bool = False


@dataclass(frozen=True, slots=True)
class ArtimTimer:
    """Start the ARTIM timer (again), or stop it; say `artim_expired()` when it runs out."""

    action: Artim


@dataclass(frozen=True, slots=True)
class CloseTransport:
    """Send what is to be sent, then close the connection: the state is Sta1."""


Indication = (
    AssociateRequest
    | AssociateAccept
    | AssociateReject
    | ReleaseRequested
    | ReleaseConfirmed
    | Aborted
    | ArtimTimer
    | CloseTransport
)
UpperLayerEvent = Indication | PDataFragment

CONNECTION_LOST = Aborted(AbortSource.SERVICE_PROVIDER, AbortReason.NOT_SPECIFIED, "the connection ended")
"""Nobody said anything; the transport is gone (DICOM PS3.8 table 9-9, AA-4)."""
