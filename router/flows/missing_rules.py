"""A network that lets rules in by two persons, and has none active: said until a rule set routes, never mended alone.

Such a router starts, and holds and requirements that the rules file asks for are simply not there. That must not go
unnoticed, and must not be got round by activating what no second person has seen.
"""

from datetime import datetime

from router.flows.human_queue import About, ask_again, resolve_item
from router.flows.ports import Transaction

KIND = "no_rules_active"
_AGAIN_AFTER_S = 86_400.0


def why_no_rules(tx: Transaction) -> str | None:
    """What is not routed by and what a person has to do; None where a rule set is active."""
    if tx.rule_sets.active_version() is not None:
        return None
    newest = next(iter(tx.rule_sets.listing()), None)
    todo = "write one" if newest is None else f"the newest is {newest.version}"
    return (
        "no rule set is active: no hold, no requirement and no other effect of a routing rule applies, the exam table "
        f"alone routes. Two persons let a rule set in (rules_need_second_person): {todo}; an administrator other than "
        "its author approves it, then it is activated (readacross rules)"
    )


def ask_for_rules(tx: Transaction, now: datetime, again_after_s: float = _AGAIN_AFTER_S) -> str | None:
    """Open an item for an administrator where no rule set is active; returns why, for the log."""
    why = why_no_rules(tx)
    if why is not None:
        ask_again(tx, KIND, why, "network", now, About(), again_after_s)
    return why


def rules_are_back(tx: Transaction, version: int, by: str, now: datetime) -> None:
    """Close the item, whichever time it was asked."""
    for item in tx.queue.listing(kind=KIND, resolved=False):
        resolve_item(tx, item.id, by, f"rule set {version} is active", now)
