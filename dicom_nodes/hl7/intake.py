"""Takes each HL7 message to the handler of its type (MSH-9.1); what has none is the report intake's to refuse.

The messages of a batch are taken one after the other, each to its own handler, and answered together.
"""

from typing import Protocol

from dicom_nodes.foundation.clock import Clock, utc_now
from dicom_nodes.hl7.batch import answer_batch, is_batch, split_batch
from dicom_nodes.hl7.faults import Hl7Fault
from dicom_nodes.hl7.listener import MessageHandler
from dicom_nodes.hl7.message import read_header
from dicom_nodes.hl7.refused_claims import claims_of
from dicom_nodes.model.report import RefusedClaims

_ORDERS = {"ORM", "OMI"}


class ReportHandler(MessageHandler, Protocol):
    """Takes reports, and keeps what nobody can read."""

    def refuse(self, raw: bytes, fault: Hl7Fault, claims: RefusedClaims | None = None) -> bytes: ...


class Hl7Intake:
    """Handler of the MLLP listener."""

    def __init__(
        self,
        reports: ReportHandler,
        orders: MessageHandler,
        clock: Clock = utc_now,
        patients: MessageHandler | None = None,
    ) -> None:
        self._reports, self._orders, self._patients = reports, orders, patients
        self._clock = clock

    def __call__(self, raw: bytes) -> bytes:
        if not is_batch(raw):
            return self._handler_of(raw)(raw)
        batch = split_batch(raw)
        if batch.faults:  # its messages are looked at one by one
            self._reports.refuse(raw, batch.faults[0], claims_of(b"\r".join(batch.strays)))
        return answer_batch(batch, lambda message: self._handler_of(message)(message), self._clock())

    def refuse_too_long(self, head: bytes, size_bytes: int, limit_bytes: int) -> bytes:
        return self._handler_of(head).refuse_too_long(head, size_bytes, limit_bytes)

    def _handler_of(self, raw: bytes) -> MessageHandler:
        try:
            kind = read_header(raw).value(9)
        except Hl7Fault:
            return self._reports
        if kind == "ADT" and self._patients is not None:
            return self._patients
        return self._orders if kind in _ORDERS else self._reports
