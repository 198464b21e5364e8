"""Takes each HL7 message to the handler of its type (MSH-9.1); what has none is the report intake's to refuse."""

from dicom_nodes.hl7.faults import Hl7Fault
from dicom_nodes.hl7.listener import MessageHandler
from dicom_nodes.hl7.message import read_header

_ORDERS = {"ORM", "OMI"}


class Hl7Intake:
    """Handler of the MLLP listener."""

    def __init__(self, reports: MessageHandler, orders: MessageHandler) -> None:
        self._reports, self._orders = reports, orders

    def __call__(self, raw: bytes) -> bytes:
        return self._handler_of(raw)(raw)

    def refuse_too_long(self, head: bytes, size_bytes: int, limit_bytes: int) -> bytes:
        return self._handler_of(head).refuse_too_long(head, size_bytes, limit_bytes)

    def _handler_of(self, raw: bytes) -> MessageHandler:
        try:
            kind = read_header(raw).value(9)
        except Hl7Fault:
            return self._reports
        return self._orders if kind in _ORDERS else self._reports
