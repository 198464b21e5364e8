"""ADT messages that arrive: AA only when what they change is durable, otherwise what is wrong.

A refused change of identity is kept for a person: a merge that nobody hears of leaves a report under an ended number.
"""

from collections.abc import Callable, Sequence

from dicom_nodes.foundation.clock import Clock, utc_now
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.hl7.ack import build_ack
from dicom_nodes.hl7.adt import changes_nobody, read_changes
from dicom_nodes.hl7.faults import Hl7Fault
from dicom_nodes.hl7.refused_messages import KeepMessage, not_now, refuse_and_keep, too_long
from dicom_nodes.model.patient_change import PatientChange
from dicom_nodes.model.refused_message import MessageKind
from dicom_nodes.model.report import AckCode

_SEGMENTS = {"MSH", "PID", "MRG"}
TakeChanges = Callable[[Sequence[PatientChange]], None]


class AdtIntake:
    """A message's bytes in, the acknowledgement's bytes out."""

    def __init__(self, take: TakeChanges, default_issuer: str, clock: Clock = utc_now, *, keep: KeepMessage) -> None:
        """`keep` is for what is refused."""
        self._take, self._default_issuer, self._clock, self._keep = take, default_issuer, clock, keep

    def __call__(self, raw: bytes) -> bytes:
        """Take the changes and answer AA; AE or AR when they cannot be read; AR when they cannot be kept now."""
        try:
            changes = read_changes(raw, self._default_issuer)
        except Hl7Fault as fault:
            place = str(fault.place) if fault.place.segment in _SEGMENTS else "another segment"
            event_log().warning("patient_change.refused", place=place, ack=fault.ack)
            if changes_nobody(raw, fault):
                return build_ack(raw, fault.ack, self._clock, fault)
            return self._refuse(raw, fault)
        try:
            self._take(changes)
        except Exception as error:  # noqa: BLE001 (a handler's boundary: recorded, and the sender is told to try again)
            event_log().error("patient_change.not_kept", exc_info=error)
            return not_now(raw, "the change could not be kept just now and was not accepted; try again", self._clock)
        event_log().info("patient_change.taken", changes=len(changes))
        return build_ack(raw, AckCode.AA, self._clock)

    def refuse_too_long(self, head: bytes, size_bytes: int, limit_bytes: int) -> bytes:
        """Answer a message that was thrown away because of its length; `head` is its beginning."""
        event_log().warning("patient_change.refused", place="MSH", ack="AR", size_bytes=size_bytes)
        return self._refuse(head, too_long(size_bytes, limit_bytes))

    def _refuse(self, raw: bytes, fault: Hl7Fault) -> bytes:
        return refuse_and_keep(raw, fault, MessageKind.PATIENT_CHANGE, self._keep, self._clock)
