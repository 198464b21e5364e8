"""An order as a node gets it: the contract's JSON, which need not be understood to be handed over."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SentOrder:
    """`text` is the contract's `Order` as JSON; `kind` is that of its body."""

    seq: int
    order_id: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class BrokenOrder:
    """One that cannot be handed over as it is stored; `reason` names what is wrong without what it holds."""

    seq: int
    order_id: str
    reason: str
