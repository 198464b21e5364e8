"""What an A-ASSOCIATE-RJ means, in words (DICOM PS3.8 table 9-21)."""

from dicom_nodes.model.errors import PeerFailed, PeerRefused, PeerUnavailable

_TRANSIENT = 2
_REASONS: dict[tuple[int, int], str] = {
    (1, 1): "it gives no reason",
    (1, 2): "it does not support the application context",
    (1, 3): "our AE title '{own}' is not known there",
    (1, 7): "it does not answer to the AE title '{called}'",
    (2, 1): "it gives no reason",
    (2, 2): "it does not support our protocol version",
    (3, 1): "it is congested",
    (3, 2): "it has no free association",
}


def rejection_error(result: int, source: int, reason: int, *, own_ae_title: str, called_ae_title: str) -> PeerFailed:
    """The error to raise: retryable when the rejection is transient."""
    words = _REASONS.get((source, reason), f"its reason is {reason} of source {source}")
    text = f"{called_ae_title} rejects the association: " + words.format(own=own_ae_title, called=called_ae_title)
    return PeerUnavailable(text) if result == _TRANSIENT else PeerRefused(text)
