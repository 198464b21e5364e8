"""Reports that arrive as ORU^R01: AA only when the originals are durable, otherwise what is wrong and where.

A report that cannot be read is kept for a person too: its sender may never look at an AE (HAZARDS 3, ADR 105).
"""

from dicom_nodes.flows.take_report import TakeReport
from dicom_nodes.foundation.clock import Clock, utc_now
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.hl7.ack import build_ack
from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place
from dicom_nodes.hl7.oru import SEGMENTS, read_reports
from dicom_nodes.hl7.refused_claims import claims_of
from dicom_nodes.model.report import AckCode, RefusedClaims, RefusedReport, ReportChannel

_NOT_FOR_US = {
    ErrorCode.UNSUPPORTED_MESSAGE_TYPE,
    ErrorCode.UNSUPPORTED_EVENT,
    ErrorCode.UNSUPPORTED_PROCESSING_ID,
}
"""Other kinds of messages and training messages: no report is lost when they are only refused."""


class OruIntake:
    """Handler of the MLLP listener: a message's bytes in, the acknowledgement's bytes out."""

    def __init__(self, take: TakeReport, clock: Clock = utc_now) -> None:
        self._take = take
        self._clock = clock

    def __call__(self, raw: bytes) -> bytes:
        """Take all reports of the message and answer AA; AE or AR when it cannot be read, or not be kept just now.

        AR is for what has nothing to do with the content, such as a system that is down (HL7 v2.5.1 ch. 2.9.2): the
        same message may be taken later, and no sender has to park the report for a person.
        """
        try:
            reports = read_reports(raw)
        except Hl7Fault as fault:
            return self.refuse(raw, fault)
        try:
            report_ids = self._take.all(reports)
        except Exception as error:  # noqa: BLE001 (a handler's boundary: recorded, and the sender is told to try again)
            event_log().error("report.not_kept", channel="hl7_oru", exc_info=error)
            return self._not_now(raw, "the report could not be kept just now and was not accepted; try again")
        for report_id in report_ids:
            event_log().info("report.taken", channel="hl7_oru", report=report_id)
        return build_ack(raw, AckCode.AA, self._clock)

    def refuse(self, raw: bytes, fault: Hl7Fault, claims: RefusedClaims | None = None) -> bytes:
        """Keep the message for a person, with what it says of alerts (`claims`), and answer what is wrong."""
        event_log().warning("report.refused", channel="hl7_oru", place=_known(fault.place), ack=fault.ack)
        if fault.code not in _NOT_FOR_US:
            said = claims_of(raw) if claims is None else claims
            try:
                self._take.keep_refused(RefusedReport(ReportChannel.HL7_ORU, fault.ack, str(fault), raw, said))
            except Exception as error:  # noqa: BLE001 (as above)
                event_log().error("report.not_kept", channel="hl7_oru", exc_info=error)
                return self._not_now(raw, "the message could not be kept for a person just now; try again")
        return build_ack(raw, fault.ack, self._clock, fault)

    def refuse_too_long(self, head: bytes, size_bytes: int, limit_bytes: int) -> bytes:
        """Answer a message that was thrown away because of its length; `head` is its beginning."""
        words = f"the message has {size_bytes} bytes; at most {limit_bytes} are taken"
        fault = Hl7Fault(Place("MSH"), words, ErrorCode.APPLICATION, AckCode.AR)
        return self.refuse(head, fault, claims_of(head, whole=False))

    def _not_now(self, raw: bytes, words: str) -> bytes:
        not_now = Hl7Fault(Place("MSH"), words, ErrorCode.APPLICATION, AckCode.AR)
        return build_ack(raw, not_now.ack, self._clock, not_now)


def _known(place: Place) -> str:
    """The place for our log; a segment name that ORU^R01 does not have may be three letters of a report's text."""
    return str(place) if place.segment in SEGMENTS else "another segment"
