"""What the peer did wrong, with the A-ABORT that answers it, apart from what we did wrong (DICOM PS3.8 9.3.8)."""

from enum import IntEnum


class AbortSource(IntEnum):
    """Who aborts (DICOM PS3.8 table 9-26)."""

    SERVICE_USER = 0
    SERVICE_PROVIDER = 2


class AbortReason(IntEnum):
    """Why; significant only when the provider aborts (DICOM PS3.8 table 9-26).

    4 is never sent by us: PS3.8 9.3.1 has a receiver ignore items it does not know.
    """

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNIZED_PDU_PARAMETER = 4
    UNEXPECTED_PDU_PARAMETER = 5
    INVALID_PDU_PARAMETER_VALUE = 6


class PduFault(Exception):
    """The peer's bytes are not what the standard allows; never leaves this package as an exception.

    `words` are for the log and hold nothing that the peer sent.
    """

    def __init__(self, reason: AbortReason, words: str) -> None:
        super().__init__(words)
        self.reason = reason
        self.words = words


class LocalProtocolError(Exception):
    """We asked for something that the state of the association does not allow: a defect of ours, not the peer's."""


def invalid(words: str) -> PduFault:
    """A value that the standard does not allow."""
    return PduFault(AbortReason.INVALID_PDU_PARAMETER_VALUE, words)


def unexpected(words: str) -> PduFault:
    """A parameter that must not stand where it stands."""
    return PduFault(AbortReason.UNEXPECTED_PDU_PARAMETER, words)
