"""A node asks for its orders: in order, those that still have to be carried out.

A position beyond the log's end means that this database was restored from a backup: the node's log takes another
name and is served from its start (ADR 004). A node recognises orders that it has by their `order_id`.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from router.flows.alert_record import record_failed
from router.flows.human_queue import About, ask_a_person
from router.flows.ports import Store, Transaction
from router.model.sent_order import BrokenOrder, SentOrder


@dataclass(frozen=True, slots=True)
class OrdersToSend:
    """The contract's `OrderBatch`, each order as the JSON that is handed over."""

    log_id: str
    orders: tuple[SentOrder, ...]

    def as_json(self) -> str:
        orders = ",".join(order.text for order in self.orders)
        return f'{{"version":1,"log_id":{json.dumps(self.log_id)},"orders":[{orders}]}}'


def orders_for(
    store: Store, node: str, known_log_id: str | None, after: int, limit: int, now: datetime, *, is_heard: bool = False
) -> OrdersToSend:
    """The node's next orders after `after`, or from the start where it knows another log than the present one.

    `is_heard`: the node asked just now, which is written down.
    """
    with store.read() as tx:
        present = tx.orders.log_id(node)
        is_ahead = known_log_id in {None, present} and after > tx.orders.head(node)
        start = after if known_log_id in {None, present} else 0
        found = [] if is_ahead else _after(tx, node, start, limit)
    if is_ahead:
        with store.write() as tx:
            present = _renamed(tx, node, present, after, now)
            found = _after(tx, node, 0, limit)
    orders = tuple(order for order in found if isinstance(order, SentOrder))
    broken = [order for order in found if isinstance(order, BrokenOrder)]
    returns = [order.order_id for order in orders if order.kind == "return"]
    if returns or broken or is_heard:
        with store.write() as tx:
            if is_heard:
                tx.network.record_traffic(node, now, None)
            tx.deliveries.mark_sent(returns, now)
            for order in broken:
                show_broken(tx, node, order, now)
    return OrdersToSend(present, orders)


def _after(tx: Transaction, node: str, seq: int, limit: int) -> list[SentOrder | BrokenOrder]:
    """Further than `limit` where nothing of that can be handed over: what is whole behind it must not wait for ever.

    No further than one that a newer release wrote: the node's position would pass what that one can hand over.
    """
    found: list[SentOrder | BrokenOrder] = []
    while len(found) % limit == 0 and not any(isinstance(order, SentOrder) for order in found):
        more = tx.orders.after(node, found[-1].seq if found else seq, limit)
        found += more
        newer = [at for at, order in enumerate(found) if isinstance(order, BrokenOrder) and order.of_next_release]
        if newer:
            return found[: newer[0] + 1]
        if not more:
            break
    return found


def show_broken(tx: Transaction, node: str, order: BrokenOrder, now: datetime) -> None:
    """It stays open, and the node gets its other orders; nobody but a person can say what is to be done instead.

    An alert that was to be told by it does not wait: its ladder goes on at once.
    """
    about = About(order_id=order.order_id, node=node)
    if order.of_next_release:
        text = (
            f"order {order.order_id} for node {node} was written by a newer release of the router than this one, which "
            "hands the node no order from there on. Serve the node by a router of that release; nothing is lost"
        )
        ask_a_person(tx, "broken_order", text, f"{order.order_id}:newer", now, about)
        return
    text = (
        f"order {order.order_id} for node {node} cannot be handed over ({order.reason}); the node gets its other "
        "orders. Have what it was for done again, or by other means"
    )
    ask_a_person(tx, "broken_order", text, order.order_id, now, about)
    if order.notification_id is not None:
        record_failed(tx, order.notification_id, f"its order cannot be handed over ({order.reason})", now)


def _renamed(tx: Transaction, node: str, before: str, after: int, now: datetime) -> str:
    """Give the node's log another name, once for every name, and tell a person."""
    head = tx.orders.head(node, lock=True)
    if tx.orders.log_id(node) == before:
        tx.orders.rename_log(node)
        reason = (
            f"node {node} has order {after}, but the log ends at {head}: this router was restored from a backup. "
            "What it decided since is lost here; compare with the node's work"
        )
        ask_a_person(tx, "order_log_restored", reason, f"{node}:{before}", now, About(node=node))
    return tx.orders.log_id(node)
