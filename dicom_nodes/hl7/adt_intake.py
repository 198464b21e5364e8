"""ADT messages that arrive: AA only when what they change is durable, otherwise what is wrong."""

from collections.abc import Callable, Sequence

from dicom_nodes.foundation.clock import Clock, utc_now
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.hl7.ack import build_ack
from dicom_nodes.hl7.adt import read_changes
from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place
from dicom_nodes.model.patient_change import PatientChange
from dicom_nodes.model.report import AckCode

_SEGMENTS = {"MSH", "PID", "MRG"}
TakeChanges = Callable[[Sequence[PatientChange]], None]


class AdtIntake:
    """A message's bytes in, the acknowledgement's bytes out."""

    def __init__(self, take: TakeChanges, default_issuer: str, clock: Clock = utc_now) -> None:
        self._take, self._default_issuer, self._clock = take, default_issuer, clock

    def __call__(self, raw: bytes) -> bytes:
        """Take the changes and answer AA; AE or AR when they cannot be read; AR when they cannot be kept now."""
        try:
            changes = read_changes(raw, self._default_issuer)
        except Hl7Fault as fault:
            place = str(fault.place) if fault.place.segment in _SEGMENTS else "another segment"
            event_log().warning("patient_change.refused", place=place, ack=fault.ack)
            return build_ack(raw, fault.ack, self._clock, fault)
        try:
            self._take(changes)
        except Exception as error:  # noqa: BLE001 (a handler's boundary: recorded, and the sender is told to try again)
            event_log().error("patient_change.not_kept", exc_info=error)
            return self._refuse(raw, "the change could not be kept just now and was not accepted; try again")
        event_log().info("patient_change.taken", changes=len(changes))
        return build_ack(raw, AckCode.AA, self._clock)

    def refuse_too_long(self, head: bytes, size_bytes: int, limit_bytes: int) -> bytes:
        """Answer a message that was thrown away because of its length; `head` is its beginning."""
        event_log().warning("patient_change.refused", place="MSH", ack="AR", size_bytes=size_bytes)
        return self._refuse(head, f"the message has {size_bytes} bytes; at most {limit_bytes} are taken")

    def _refuse(self, raw: bytes, words: str) -> bytes:
        fault = Hl7Fault(Place("MSH"), words, ErrorCode.APPLICATION, AckCode.AR)
        return build_ack(raw, fault.ack, self._clock, fault)
