"""A fact as the router keeps it: what was said, by whom, and whether it could be carried out."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class KeptFact:
    """`body` is the contract's JSON, or whatever came instead of it; `failure` says why it was not carried out."""

    node: str
    outbox_id: str
    seq: int
    occurred_at: datetime
    received_at: datetime
    body: dict[str, object]
    failure: str | None

    @property
    def key(self) -> str:
        """Names the fact in the whole network."""
        return f"{self.node}:{self.outbox_id}:{self.seq}"
