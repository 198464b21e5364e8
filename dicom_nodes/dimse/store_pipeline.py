"""C-STORE requests on one association, as many outstanding as was agreed (DICOM PS3.7 D.3.3.3).

An answer counts for the request with its message id and for no other. Results come in the order of the instances,
whatever the order of the answers.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from dicom_nodes.dimse.association import NoResponse
from dicom_nodes.dimse.messages import MoveOriginator, PresentationContext, Response, StoreRequest
from dicom_nodes.dimse.outgoing import Prepared
from dicom_nodes.dimse.read_ahead import ReadAhead
from dicom_nodes.model.delivery import StoreResult

_MESSAGE_IDS = 0xFFFF
_LOOK_EVERY_S = 0.1
"""How often to look for a cancel and for answers while the next instance is being read or converted."""


class StoreExchange(Protocol):
    """The part of an association that sending needs; see `association.RequestedAssociation`, `dispatch.Exchange`."""

    @property
    def contexts(self) -> tuple[PresentationContext, ...]: ...

    @property
    def window(self) -> int: ...

    def send_store(self, request: StoreRequest) -> None: ...

    def has_answer(self) -> bool: ...

    def next_answer(self) -> tuple[int | None, Response]: ...


@dataclass(slots=True)
class _Sent:
    sop_instance_uid: str
    sent_as: str = ""
    result: StoreResult | None = None


class StorePipeline:
    """Sends what `ahead` has read; `first_message_id` keeps clear of the request that asked for it."""

    def __init__(
        self,
        exchange: StoreExchange,
        ahead: ReadAhead,
        originator: MoveOriginator | None = None,
        first_message_id: int = 1,
    ) -> None:
        self._exchange, self._ahead, self._originator = exchange, ahead, originator
        self._message_id = first_message_id
        self._in_order: deque[_Sent] = deque()
        self._outstanding: dict[int, _Sent] = {}
        self._is_lost = False

    def results(self, is_cancelled: Callable[[], bool]) -> Iterator[StoreResult]:
        """Yield each instance's answer; once cancelled, send nothing more but wait for the answers that are due.

        Raises:
            NoResponse, AssociationGoneError: the association is of no more use; `unanswered` tells the rest.
        """
        while not is_cancelled():
            if self._ahead.wait(_LOOK_EVERY_S):
                prepared = next(self._ahead, None)
                if prepared is None:
                    break
                self._take_on(prepared)
            while self._must_listen():
                self._take_answer()
            yield from self._known()
        while self._outstanding:
            self._take_answer()
            yield from self._known()

    @property
    def is_sound(self) -> bool:
        """Whether every request has been answered, so that the association can be used or released."""
        return not self._outstanding and not self._is_lost

    def unanswered(self, why: str) -> Iterator[StoreResult]:
        """What is still to be told of the instances sent, after the association was lost: no answer is no proof."""
        self._is_lost = True
        while self._in_order:
            sent = self._in_order.popleft()
            yield sent.result or StoreResult(sent.sop_instance_uid, None, why)
        self._outstanding.clear()

    def _take_on(self, prepared: Prepared) -> None:
        instance, context = prepared.instance, prepared.context
        sent = _Sent(instance.sop_instance_uid, prepared.sent_as)
        self._in_order.append(sent)
        if context is None or prepared.failure:
            sent.result = StoreResult(instance.sop_instance_uid, None, prepared.failure)
            return
        message_id, self._message_id = self._message_id, self._message_id % _MESSAGE_IDS + 1
        self._outstanding[message_id] = sent
        self._exchange.send_store(
            StoreRequest(
                context,
                message_id,
                instance.sop_class_uid,
                instance.sop_instance_uid,
                prepared.data_set,
                self._originator,
            )
        )

    def _must_listen(self) -> bool:
        """Whether nothing may be sent before an answer is taken, or one is there already."""
        outstanding = len(self._outstanding)
        return outstanding >= self._exchange.window or (outstanding > 0 and self._exchange.has_answer())

    def _take_answer(self) -> None:
        message_id, response = self._exchange.next_answer()
        sent = None if message_id is None else self._outstanding.pop(message_id, None)
        if sent is None:
            raise NoResponse("the partner answers a request that we did not send")
        sent.result = StoreResult(sent.sop_instance_uid, response.status, sent_as=sent.sent_as)

    def _known(self) -> Iterator[StoreResult]:
        while self._in_order and (result := self._in_order[0].result) is not None:
            self._in_order.popleft()
            yield result
