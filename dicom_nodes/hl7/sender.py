"""Send reports to the trust's RIS by MLLP and wait for its application acknowledgement.

One connection a report, unless the trust's file says that its RIS takes several on one. Then a connection serves the
reports that one worker sends one after the other, for a moment only: a RIS may take one connection at a time, and an
alert must not wait behind one that idles. A RIS that is slow or dead is found by each report's own time limit.
"""

import threading
import time
from dataclasses import replace

from dicom_nodes.config import Ris, Trust
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.hl7.ack import read_ack
from dicom_nodes.hl7.faults import Hl7Fault
from dicom_nodes.hl7.outgoing_oru import control_id, write_oru
from dicom_nodes.hl7.ris_line import RisLine
from dicom_nodes.model.errors import PeerUnavailable
from dicom_nodes.model.report import AckCode, Acknowledgement, OutgoingReport
from dicom_nodes.report_settings import OruHabits

_LONGEST_KEPT_S = 2.0
_NOT_KEPT_S = 600.0
"""A RIS that hung up on a second report, or left it without an answer, gets each by a connection of its own so long."""


class MllpRisSender:
    """The RIS as `flows.ports.RisSender`; safe to use from several threads."""

    def __init__(self, ris: Ris, trust: Trust, habits: OruHabits | None = None) -> None:
        """`habits` are how the RIS wants the message written; the simplest form where none are given."""
        self._ris = ris
        self._habits = habits or OruHabits()
        self._ods_code = trust.ods_code
        self._kept = _Kept()
        self._keep_from_s = 0.0

    def send(self, report: OutgoingReport) -> Acknowledgement:
        """Send the report and return the RIS's answer, whichever of AA, AE and AR it is.

        Raises:
            NothingSent: no connection.
            PeerUnavailable: no answer in time, or none that answers this message.
            PeerRefused: the report cannot be carried without loss; nothing was sent.
        """
        written = write_oru(report, self._ris, self._ods_code, self._habits)
        line = self._taken() or RisLine(self._ris.address, self._ris.timeout_s)
        follows = line.carried > 0
        try:
            acknowledgement = self._acknowledged(line.exchange(written.message), control_id(report))
        except BaseException:
            line.close()
            if follows:
                self._doubt(line)
            raise
        self._keep_or_close(line, acknowledgement)
        return replace(acknowledgement, losses=written.losses)

    def hang_up(self) -> None:
        """No report of this thread follows soon."""
        line = self._taken()
        if line is not None:
            line.close()

    @property
    def _where(self) -> str:
        return f"the RIS at {self._ris.address}"

    def _exchange(self, message: bytes) -> bytes:
        """By a connection of its own."""
        line = RisLine(self._ris.address, self._ris.timeout_s)
        try:
            return line.exchange(message)
        finally:
            line.close()

    def _acknowledged(self, answer: bytes, sent: str) -> Acknowledgement:
        try:
            acknowledgement = read_ack(answer)
        except Hl7Fault as fault:
            raise PeerUnavailable(f"{self._where} gave an answer that is no acknowledgement: {fault}") from None
        if acknowledgement.control_id != sent:
            raise PeerUnavailable(f"{self._where} acknowledged another message (MSA-2 is not our control id)")
        return acknowledgement

    def _taken(self) -> RisLine | None:
        """The line that this thread kept, if it may still be used; it is kept no more."""
        line, self._kept.line = self._kept.line, None
        if line is None:
            return None
        if time.monotonic() - line.opened_s < _LONGEST_KEPT_S and line.is_quiet:
            return line
        line.close()
        return None

    def _keep_or_close(self, line: RisLine, acknowledgement: Acknowledgement) -> None:
        """Only what was plainly answered yes may be followed by another."""
        has_room = line.carried < self._ris.reports_per_connection and time.monotonic() >= self._keep_from_s
        if has_room and acknowledgement.code is AckCode.AA:
            self._kept.line = line
        else:
            line.close()

    def _doubt(self, line: RisLine) -> None:
        self._keep_from_s = time.monotonic() + _NOT_KEPT_S
        event_log().warning("ris.connection_not_kept", carried=line.carried)


class _Kept(threading.local):
    """A thread's own line between two of its reports."""

    line: RisLine | None = None
