"""Reports that arrive as ORU^R01: AA only when the original is durable, otherwise what is wrong and where."""

from dicom_nodes.flows.take_report import TakeReport
from dicom_nodes.foundation.clock import Clock, utc_now
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.hl7.ack import build_ack
from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place
from dicom_nodes.hl7.oru import SEGMENTS, read_oru
from dicom_nodes.model.report import AckCode


class OruIntake:
    """Handler of the MLLP listener: a message's bytes in, the acknowledgement's bytes out."""

    def __init__(self, take: TakeReport, clock: Clock = utc_now) -> None:
        self._take = take
        self._clock = clock

    def __call__(self, raw: bytes) -> bytes:
        """Take the report and answer AA; AE or AR when it cannot be read; AR when it cannot be kept just now.

        AR is for what has nothing to do with the content, such as a system that is down (HL7 v2.5.1 ch. 2.9.2): the
        same message may be taken later, and no sender has to park the report for a person.
        """
        try:
            report = read_oru(raw)
        except Hl7Fault as fault:
            event_log().warning("report.refused", channel="hl7_oru", place=_known(fault.place), ack=fault.ack)
            return build_ack(raw, fault.ack, self._clock, fault)
        try:
            report_id = self._take(report)
        except Exception as error:  # noqa: BLE001 (a handler's boundary: recorded, and the sender is told to try again)
            event_log().error("report.not_kept", channel="hl7_oru", exc_info=error)
            words = "the report could not be kept just now and was not accepted; try again"
            not_now = Hl7Fault(Place("MSH"), words, ErrorCode.APPLICATION, AckCode.AR)
            return build_ack(raw, not_now.ack, self._clock, not_now)
        event_log().info("report.taken", channel="hl7_oru", report=report_id)
        return build_ack(raw, AckCode.AA, self._clock)

    def refuse_too_long(self, head: bytes, size_bytes: int, limit_bytes: int) -> bytes:
        """Answer a message that was thrown away because of its length; `head` is its beginning."""
        event_log().warning("report.refused", channel="hl7_oru", place="MSH", ack="AR", size_bytes=size_bytes)
        words = f"the message has {size_bytes} bytes; at most {limit_bytes} are taken"
        fault = Hl7Fault(Place("MSH"), words, ErrorCode.APPLICATION, AckCode.AR)
        return build_ack(head, AckCode.AR, self._clock, fault)


def _known(place: Place) -> str:
    """The place for our log; a segment name that ORU^R01 does not have may be three letters of a report's text."""
    return str(place) if place.segment in SEGMENTS else "another segment"
