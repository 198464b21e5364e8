"""Orders that arrive as ORM^O01 or OMI^O23: AA only when what they change is durable, otherwise what is wrong."""

from collections.abc import Callable, Mapping, Sequence

from dicom_nodes.foundation.clock import Clock, utc_now
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.hl7.ack import build_ack
from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place
from dicom_nodes.hl7.imaging_order import OrderIssuers, read_orders
from dicom_nodes.hl7.order_details import NO_CODES, OrderCodes
from dicom_nodes.model.errors import OrderConflict, UnknownOrder
from dicom_nodes.model.procedure import ImagingOrder
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
    ) -> None:
        """`issuers` qualify numbers that name none; `stations` are AE titles by modality; `codes` are the trust's."""
        self._take, self._issuers, self._stations, self._codes = take, issuers, stations, codes
        self._clock = clock

    def __call__(self, raw: bytes) -> bytes:
        """Carry the orders out and answer AA; AE or AR when they cannot be read; AR when they cannot be kept now."""
        try:
            orders = read_orders(raw, self._issuers, self._stations, self._codes)
            self._carry_out(orders)
        except Hl7Fault as fault:
            event_log().warning("order.refused", place=_known(fault.place), ack=fault.ack)
            return build_ack(raw, fault.ack, self._clock, fault)
        except Exception as error:  # noqa: BLE001 (a handler's boundary: recorded, and the sender is told to try again)
            event_log().error("order.not_kept", exc_info=error)
            words = "the order could not be kept just now and was not accepted; try again"
            not_now = Hl7Fault(Place("MSH"), words, ErrorCode.APPLICATION, AckCode.AR)
            return build_ack(raw, not_now.ack, self._clock, not_now)
        event_log().info("order.taken", steps=sum(len(order.steps) for order in orders))
        return build_ack(raw, AckCode.AA, self._clock)

    def refuse_too_long(self, head: bytes, size_bytes: int, limit_bytes: int) -> bytes:
        """Answer a message that was thrown away because of its length; `head` is its beginning."""
        event_log().warning("order.refused", place="MSH", ack="AR", size_bytes=size_bytes)
        words = f"the message has {size_bytes} bytes; at most {limit_bytes} are taken"
        return build_ack(
            head, AckCode.AR, self._clock, Hl7Fault(Place("MSH"), words, ErrorCode.APPLICATION, AckCode.AR)
        )

    def _carry_out(self, orders: Sequence[ImagingOrder]) -> None:
        try:
            self._take(orders)
        except OrderConflict as conflict:
            code = ErrorCode.UNKNOWN_KEY if isinstance(conflict, UnknownOrder) else ErrorCode.APPLICATION
            raise Hl7Fault(Place("ORC", 1), str(conflict), code) from None


def _known(place: Place) -> str:
    """The place for our log; the name of another segment may be three letters of anything."""
    return str(place) if place.segment in _SEGMENTS else "another segment"
