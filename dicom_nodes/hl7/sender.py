"""Send a report to the trust's RIS by MLLP and wait for its application acknowledgement.

One connection a report: a RIS that is slow or dead is found by this report's own time limit, never by a later one's.
"""

import socket
import time
from dataclasses import replace

from dicom_nodes.config import Ris, Trust
from dicom_nodes.foundation.settings_file import split_host_port
from dicom_nodes.hl7.ack import read_ack
from dicom_nodes.hl7.faults import Hl7Fault
from dicom_nodes.hl7.mllp import Deframer, Message, frame
from dicom_nodes.hl7.outgoing_oru import control_id, write_oru
from dicom_nodes.model.errors import NothingSent, PeerUnavailable
from dicom_nodes.model.report import Acknowledgement, OutgoingReport
from dicom_nodes.report_settings import OruHabits

_LONGEST_ANSWER = 262_144


class MllpRisSender:
    """The RIS as `flows.ports.RisSender`; safe to use from several threads."""

    def __init__(self, ris: Ris, trust: Trust, habits: OruHabits | None = None) -> None:
        """`habits` are how the RIS wants the message written; the simplest form where none are given."""
        self._ris = ris
        self._habits = habits or OruHabits()
        self._ods_code = trust.ods_code

    def send(self, report: OutgoingReport) -> Acknowledgement:
        """Send the report and return the RIS's answer, whichever of AA, AE and AR it is.

        Raises:
            NothingSent: no connection.
            PeerUnavailable: no answer in time, or none that answers this message.
            PeerRefused: the report cannot be carried without loss; nothing was sent.
        """
        written = write_oru(report, self._ris, self._ods_code, self._habits)
        answer = self._exchange(written.message)
        try:
            acknowledgement = read_ack(answer)
        except Hl7Fault as fault:
            raise PeerUnavailable(f"{self._where} gave an answer that is no acknowledgement: {fault}") from None
        if acknowledgement.control_id != control_id(report):
            raise PeerUnavailable(f"{self._where} acknowledged another message (MSA-2 is not our control id)")
        return replace(acknowledgement, losses=written.losses)

    @property
    def _where(self) -> str:
        return f"the RIS at {self._ris.address}"

    def _exchange(self, message: bytes) -> bytes:
        deadline = time.monotonic() + self._ris.timeout_s
        with self._connection() as connection:
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.sendall(frame(message))
                return self._answer(connection, deadline)
            except TimeoutError:
                raise PeerUnavailable(f"{self._where} gave no answer within {self._ris.timeout_s:g} s") from None
            except OSError as error:
                raise PeerUnavailable(f"the connection to {self._where} failed: {error.strerror or error}") from None

    def _connection(self) -> socket.socket:
        try:
            return socket.create_connection(split_host_port(self._ris.address), self._ris.timeout_s)
        except TimeoutError:
            raise NothingSent(f"{self._where} takes no connection within {self._ris.timeout_s:g} s") from None
        except ConnectionRefusedError:
            raise NothingSent(f"{self._where} refuses the connection: nothing listens there") from None
        except OSError as error:
            raise NothingSent(f"there is no connection to {self._where}: {error.strerror or error}") from None

    def _answer(self, connection: socket.socket, deadline: float) -> bytes:
        deframer = Deframer(_LONGEST_ANSWER)
        while True:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            connection.settimeout(left_s)
            received = connection.recv(65536)
            for event in deframer.receive(received):
                if isinstance(event, Message):
                    return event.data
                raise PeerUnavailable(f"{self._where} answered with bytes that are no MLLP message")
            if not received:
                half = "in the middle of its answer" if deframer.in_message else "without an answer"
                raise PeerUnavailable(f"{self._where} closed the connection {half}")
