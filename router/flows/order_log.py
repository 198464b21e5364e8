"""A node asks for its orders: in order, those that still have to be carried out.

A position beyond the log's end means that this database was restored from a backup: the node's log takes another
name and is served from its start (ADR 004). A node recognises orders that it has by their `order_id`.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from router.flows.human_queue import About, ask_a_person
from router.flows.ports import Store, Transaction
from router.model.sent_order import SentOrder


@dataclass(frozen=True, slots=True)
class OrdersToSend:
    """The contract's `OrderBatch`, each order as the JSON that is handed over."""

    log_id: str
    orders: tuple[SentOrder, ...]

    def as_json(self) -> str:
        orders = ",".join(order.text for order in self.orders)
        return f'{{"version":1,"log_id":{json.dumps(self.log_id)},"orders":[{orders}]}}'


def orders_for(
    store: Store, node: str, known_log_id: str | None, after: int, limit: int, now: datetime
) -> OrdersToSend:
    """The node's next orders after `after`, or from the start where it knows another log than the present one."""
    with store.read() as tx:
        present = tx.orders.log_id(node)
        is_ahead = known_log_id in {None, present} and after > tx.orders.head(node)
    if is_ahead:
        with store.write() as tx:
            present = _renamed(tx, node, present, after, now)
    with store.read() as tx:
        start = after if known_log_id in {None, present} and not is_ahead else 0
        orders = tuple(tx.orders.after(node, start, limit))
    returns = [order.order_id for order in orders if order.kind == "return"]
    if returns:
        with store.write() as tx:
            tx.deliveries.mark_sent(returns, now)
    return OrdersToSend(present, orders)


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
