"""Answers a message that is no report and is refused: its original is kept for a person before its sender hears so."""

from collections.abc import Callable

from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.hl7.ack import build_ack
from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place
from dicom_nodes.hl7.message import read_header
from dicom_nodes.model.refused_message import MessageKind, RefusedMessage
from dicom_nodes.model.report import AckCode

KeepMessage = Callable[[RefusedMessage], None]


def refuse_and_keep(raw: bytes, fault: Hl7Fault, kind: MessageKind, keep: KeepMessage, clock: Clock) -> bytes:
    """The fault's own answer; AR "try again" where the message could not be kept. A training message is not kept."""
    if not _is_for_training(raw, fault):
        try:
            keep(RefusedMessage(kind, fault.ack, str(fault), raw))
        except Exception as error:  # noqa: BLE001 (a handler's boundary: recorded, and the sender is told to try again)
            event_log().error("hl7.refused_not_kept", channel=kind, exc_info=error)
            return not_now(raw, "the message could not be kept for a person just now; try again", clock)
    return build_ack(raw, fault.ack, clock, fault)


def too_long(size_bytes: int, limit_bytes: int) -> Hl7Fault:
    """What is wrong with a message that was thrown away because of its length."""
    words = f"the message has {size_bytes} bytes; at most {limit_bytes} are taken"
    return Hl7Fault(Place("MSH"), words, ErrorCode.APPLICATION, AckCode.AR)


def _is_for_training(raw: bytes, fault: Hl7Fault) -> bool:
    """MSH-11 says so; where it says nothing, the message may be of a patient."""
    return fault.code is ErrorCode.UNSUPPORTED_PROCESSING_ID and read_header(raw).value(11) in {"T", "D"}


def not_now(raw: bytes, words: str, clock: Clock) -> bytes:
    """AR: the same message may be taken later, so nothing of it is kept."""
    fault = Hl7Fault(Place("MSH"), words, ErrorCode.APPLICATION, AckCode.AR)
    return build_ack(raw, fault.ack, clock, fault)
