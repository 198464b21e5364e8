"""Facts up, orders down. Each call does one exchange; a router that is away is an exception, and nothing is lost."""

from dicom_nodes.contract import Fact, FactBatch
from dicom_nodes.flows.ports import HealthProbe, OrderStore, Outbox, RouterLink

_BATCH = 200


def send_facts(outbox: Outbox, router: RouterLink, health: HealthProbe) -> bool:
    """Post the oldest facts with the node's health; True when more are waiting.

    Raises:
        PeerUnavailable, PeerRefused: nothing was marked as sent; the same facts go again, in the same order.
    """
    outbox_id, waiting = outbox.pending(_BATCH)
    facts = tuple(Fact(seq=seq, occurred_at=at, body=body) for seq, at, body in waiting)
    receipt = router.post_facts(FactBatch(outbox_id=outbox_id, facts=facts, health=health()))
    if facts:
        outbox.mark_sent(outbox_id, receipt.accepted_through)
    return len(facts) == _BATCH


def take_orders(orders: OrderStore, router: RouterLink, wait_s: float) -> int:
    """Ask for the orders after the last one kept, waiting up to `wait_s`; keep them; return how many came."""
    log_id, after = orders.position()
    batch = router.get_orders(log_id, after, wait_s)
    if batch.orders or batch.log_id != log_id:
        orders.accept(batch)
    return len(batch.orders)
