"""Facts up, orders down. Each call does one exchange; a router that is away is an exception, and nothing is lost."""

from datetime import datetime, timedelta
from typing import NoReturn

from dicom_nodes.contract import Fact, FactBatch, NodeHealth
from dicom_nodes.flows.ports import HealthProbe, OrderStore, Outbox, RouterLink
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.model.errors import NumberingRefused

_BATCH = 200
_HEALTH_HOLDS = timedelta(seconds=1)
_SIGN_OF_LIFE = timedelta(seconds=5)


class SendFacts:
    """Call it every so often: it posts the facts that wait, or at least the node's health every few seconds."""

    def __init__(self, outbox: Outbox, router: RouterLink, health: HealthProbe, clock: Clock) -> None:
        self._outbox, self._router, self._health, self._clock = outbox, router, health, clock
        self._judged: tuple[datetime, NodeHealth] | None = None
        self._posted_at: datetime | None = None
        self._answered_at = clock()

    def __call__(self) -> None:
        """Post what waits. What comes meanwhile goes at the next call, together.

        Raises:
            PeerUnavailable, PeerRefused: nothing was marked as sent; the same facts go again, in the same order.
            NumberingRefused: one side was restored from a backup. The outbox has taken a new name, and the next call
                sends everything that waits under it: repeats are harmless, silence is not.
        """
        while self._post() == _BATCH:
            pass

    def silent_s(self) -> float:
        """For how long the router has not answered; seconds."""
        return (self._clock() - self._answered_at).total_seconds()

    def _start_anew(self, waiting: int) -> NoReturn:
        """The router knows this outbox differently: this node or the router was restored from a backup."""
        event_log().error("outbox.renamed", waiting=waiting)
        self._outbox.rename()
        raise NumberingRefused("the router knows this outbox differently; its facts go again under a new name")

    def _post(self) -> int:
        """How many facts went."""
        outbox_id, waiting = self._outbox.pending(_BATCH)
        now = self._clock()
        if not waiting and self._posted_at is not None and now - self._posted_at < _SIGN_OF_LIFE:
            return 0
        facts = tuple(Fact(seq=seq, occurred_at=at, body=body) for seq, at, body in waiting)
        try:
            receipt = self._router.post_facts(FactBatch(outbox_id=outbox_id, facts=facts, health=self._health_at(now)))
        except NumberingRefused:
            self._answered_at = now
            self._start_anew(len(facts))
        self._posted_at = self._answered_at = now
        if receipt.accepted_through > (facts[-1].seq if facts else self._outbox.last_number()):
            self._start_anew(len(facts))
        if facts:
            self._outbox.mark_sent(outbox_id, receipt.accepted_through)
        return len(facts)

    def _health_at(self, now: datetime) -> NodeHealth:
        """As it was at most a second ago: it is asked of the database, and under load ten posts a second go."""
        if self._judged is None or not timedelta(0) <= now - self._judged[0] < _HEALTH_HOLDS:
            self._judged = (now, self._health())
        return self._judged[1]


def take_orders(orders: OrderStore, router: RouterLink, wait_s: float) -> int:
    """Ask for the orders after the last one kept, waiting up to `wait_s`; keep them; return how many came."""
    log_id, after = orders.position()
    batch = router.get_orders(log_id, after, wait_s)
    if batch.orders or batch.log_id != log_id:
        orders.accept(batch)
    return len(batch.orders)
