"""Who may call this node, and what for: what is not listed is refused."""

from dataclasses import dataclass

from dicom_nodes.config import Action, NodeSettings, Peer
from dicom_nodes.foundation.certificate import PresentedCertificate, is_bound
from dicom_nodes.model.errors import NotAuthorised
from dicom_nodes.model.instance import Channel
from dicom_nodes.model.report import ReportChannel

_ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
_REPORT_SOP_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.88.11",  # Basic Text SR
        "1.2.840.10008.5.1.4.1.1.88.22",  # Enhanced SR
        "1.2.840.10008.5.1.4.1.1.88.33",  # Comprehensive SR
        "1.2.840.10008.5.1.4.1.1.88.34",  # Comprehensive 3D SR
        _ENCAPSULATED_PDF,
    }
)


@dataclass(frozen=True, slots=True)
class Rejection:
    """An A-ASSOCIATE-RJ (DICOM PS3.8 table 9-21): the numbers for the caller, `words` for our log.

    The standard has no reason of its own for a host or a certificate: they are answered as an unknown calling AE title.
    """

    result: int
    source: int
    reason: int
    words: str


_CALLED_NOT_RECOGNISED = Rejection(1, 1, 7, "the called AE title is not ours")
_CALLING_NOT_RECOGNISED = Rejection(1, 1, 3, "the calling AE title is not a listed peer")
_HOST_NOT_ALLOWED = Rejection(1, 1, 3, "the peer may not call from this host")
_TLS_ONLY = Rejection(1, 1, 3, "the peer has a certificate and may call by TLS only")
_NO_CERTIFICATE_LISTED = Rejection(1, 1, 3, "no certificate is listed for the peer: it may not call by TLS")
LOCAL_LIMIT_EXCEEDED = Rejection(2, 3, 2, "all associations are taken")


def is_listed_host(settings: NodeSettings, host: str) -> bool:
    """Whether any peer may call from this IP address; nobody else has anything to say to us."""
    return any(peer.allows_host(host) for peer in settings.peers)


def decide_association(
    settings: NodeSettings, *, called: str, calling: str, host: str, certificate: PresentedCertificate | None = None
) -> Peer | Rejection:
    """The peer that calls, or why it is rejected (DICOM PS3.8 table 9-21: called 7, calling 3).

    `certificate` is what the caller proved to hold, where it calls by TLS: it must be the one listed for its AE title.
    """
    if called != settings.node.ae_title:
        return _CALLED_NOT_RECOGNISED
    peer = settings.peer(calling)
    if peer is None:
        return _CALLING_NOT_RECOGNISED
    if not peer.allows_host(host):
        return _HOST_NOT_ALLOWED
    return _certificate_fault(peer, certificate) or peer


def _certificate_fault(peer: Peer, certificate: PresentedCertificate | None) -> Rejection | None:
    if certificate is None:
        return None if peer.certificate is None else _TLS_ONLY
    if peer.certificate is None:
        return _NO_CERTIFICATE_LISTED
    if is_bound(peer.certificate, certificate):
        return None
    return Rejection(1, 1, 3, f"the certificate ({certificate}) is not the peer's, which is {peer.certificate}")


def require_action(peer: Peer, action: Action) -> None:
    """Let the peer's request pass.

    Raises:
        NotAuthorised: the action is not listed for it, or a node tries to store (nodes are asked, never told).
    """
    if action not in peer.may:
        raise NotAuthorised(f"{peer.ae_title} may not {action} here")
    if action == "store" and peer.role == "node":
        raise NotAuthorised("a node may not store here")


def channel_of(peer: Peer, sop_class_uid: str) -> Channel:
    """How an instance stored by this peer is taken: a workstation's report document is a report."""
    if peer.role == "workstation" and sop_class_uid in _REPORT_SOP_CLASSES:
        return Channel.REPORT
    return Channel.ACQUIRED


def report_channel_of(sop_class_uid: str) -> ReportChannel:
    """By which channel a report document of this class comes, whatever its data set says."""
    return ReportChannel.ENCAPSULATED_PDF if sop_class_uid == _ENCAPSULATED_PDF else ReportChannel.DICOM_SR
