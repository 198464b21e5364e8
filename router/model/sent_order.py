"""An order as a node gets it: the contract's JSON, which need not be understood to be handed over."""

import json
from dataclasses import dataclass

from router.model.errors import RouterError

FAULTS_OF_AN_ORDER = (RouterError, ValueError, LookupError, TypeError)
"""What a broken order fails by, whenever it is tried; whatever else fails may pass, and the node asks again."""


@dataclass(frozen=True, slots=True)
class SentOrder:
    """`text` is the contract's `Order` as JSON; `kind` is that of its body."""

    seq: int
    order_id: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class BrokenOrder:
    """One that cannot be handed over as it is stored; `reason` names what is wrong without what it holds.

    `notification_id` is that of the alert's notification which waits for it, if it is known. One `of_next_release` is
    whole and only not understood here: another replica, or this one when it is new again, hands it over.
    """

    seq: int
    order_id: str
    reason: str
    notification_id: str | None = None
    of_next_release: bool = False


def notification_of(text: str) -> str | None:
    """The notification that waits for an order, of whose JSON (its own or its body's) nothing is sure."""
    try:
        said = json.loads(text)
    except ValueError:
        return None
    body = said.get("body", said) if isinstance(said, dict) else {}
    told = body.get("notification_id") if isinstance(body, dict) else None
    return told if isinstance(told, str) else None
