"""Orders that arrive as ORM^O01 or OMI^O23: AA only when what they change is durable, otherwise what is wrong.

An order that is refused is kept for a person: its urgency and its contacts are lost otherwise, and nobody knows.
"""

from collections.abc import Callable, Mapping, Sequence

from dicom_nodes.foundation.clock import Clock, utc_now
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.hl7.ack import build_ack
from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place
from dicom_nodes.hl7.imaging_order import OrderIssuers, read_orders
from dicom_nodes.hl7.order_details import NO_CODES, OrderCodes
from dicom_nodes.hl7.refused_messages import KeepMessage, not_now, refuse_and_keep, too_long
from dicom_nodes.model.errors import OrderConflict, UnknownOrder
from dicom_nodes.model.procedure import ImagingOrder
from dicom_nodes.model.refused_message import MessageKind
from dicom_nodes.model.report import AckCode

_SEGMENTS = {"MSH", "PID", "PV1", "ORC", "TQ1", "OBR", "IPC", "ZDS"}
TakeOrders = Callable[[Sequence[ImagingOrder]], None]


class OrderIntake:
    """A message's bytes in, the acknowledgement's bytes out."""

    def __init__(
        self,
        take: TakeOrders,
        issuers: OrderIssuers,
        stations: Mapping[str, str],
        clock: Clock = utc_now,
        codes: OrderCodes = NO_CODES,
        *,
        keep: KeepMessage,
    ) -> None:
        """`issuers` qualify numbers that name none; `stations` are AE titles by modality; `codes` are the trust's.

        `keep` is for what is refused.
        """
        self._take, self._issuers, self._stations, self._codes = take, issuers, stations, codes
        self._clock, self._keep = clock, keep

    def __call__(self, raw: bytes) -> bytes:
        """Carry the orders out and answer AA; AE or AR when they cannot be read; AR when they cannot be kept now."""
        try:
            orders = read_orders(raw, self._issuers, self._stations, self._codes)
            self._carry_out(orders)
        except Hl7Fault as fault:
            event_log().warning("order.refused", place=_known(fault.place), ack=fault.ack)
            return self._refuse(raw, fault)
        except Exception as error:  # noqa: BLE001 (a handler's boundary: recorded, and the sender is told to try again)
            event_log().error("order.not_kept", exc_info=error)
            return not_now(raw, "the order could not be kept just now and was not accepted; try again", self._clock)
        event_log().info("order.taken", steps=sum(len(order.steps) for order in orders))
        return build_ack(raw, AckCode.AA, self._clock)

    def refuse_too_long(self, head: bytes, size_bytes: int, limit_bytes: int) -> bytes:
        """Answer a message that was thrown away because of its length; `head` is its beginning."""
        event_log().warning("order.refused", place="MSH", ack="AR", size_bytes=size_bytes)
        return self._refuse(head, too_long(size_bytes, limit_bytes))

    def _refuse(self, raw: bytes, fault: Hl7Fault) -> bytes:
        return refuse_and_keep(raw, fault, MessageKind.ORDER, self._keep, self._clock)

    def _carry_out(self, orders: Sequence[ImagingOrder]) -> None:
        try:
            self._take(orders)
        except OrderConflict as conflict:
            code = ErrorCode.UNKNOWN_KEY if isinstance(conflict, UnknownOrder) else ErrorCode.APPLICATION
            raise Hl7Fault(Place("ORC", 1), str(conflict), code) from None


def _known(place: Place) -> str:
    """The place for our log; the name of another segment may be three letters of anything."""
    return str(place) if place.segment in _SEGMENTS else "another segment"
