"""The way home of one version of a report, channel by channel, and what its origin asks for."""

import enum
from dataclasses import dataclass
from datetime import datetime

from router.config import ANSWERING_CHANNELS


class DeliveryState(enum.StrEnum):
    """One channel of the return of one version. HELD, DROPPED and CANCELLED are not sent any more."""

    QUEUED = "QUEUED"
    SENT = "SENT"
    ACKED = "ACKED"
    FILED = "FILED"
    REJECTED = "REJECTED"
    PARKED = "PARKED"
    HELD = "HELD"
    DROPPED = "DROPPED"
    CANCELLED = "CANCELLED"


DONE = frozenset({DeliveryState.ACKED, DeliveryState.FILED})
"""The origin has it."""
UNDER_WAY = frozenset({DeliveryState.QUEUED, DeliveryState.SENT})
"""The origin's node works on it, or will."""
STUCK = frozenset({DeliveryState.PARKED, DeliveryState.REJECTED, DeliveryState.HELD})
"""Nothing happens until a person does something."""
OWED = UNDER_WAY | STUCK
"""The origin still has to get it."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """`order_id` is None while it waits for an earlier version; `words` are the destination's own, for a person."""

    report_id: str
    channel: str
    order_id: str | None
    state: DeliveryState
    updated_at: datetime
    code: str | None = None
    reference: str | None = None
    queued_at: datetime | None = None
    words: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ListedDelivery:
    """A delivery with the version it is of."""

    delivery: Delivery
    trust: str
    study_instance_uid: str
    read_id: str | None
    version: int
    status: str
    addendum: bool


@dataclass(frozen=True, slots=True)
class ReturnPolicy:
    """How a trust wants its reports: by which channels, which of them close a read, preliminary ones or not.

    Without an answer for `phone_after_s` somebody rings the trust up.
    """

    channels: tuple[str, ...] = ("ris", "archive")
    closed_by: tuple[str, ...] = ("ris", "archive")
    preliminary: bool = False
    phone_after_s: float = 7200.0

    @property
    def answered_by(self) -> frozenset[str]:
        """Channels of `closed_by` whose application has to answer before a read counts as delivered."""
        return frozenset(self.closed_by) & ANSWERING_CHANNELS


DEFAULT_RETURNS = ReturnPolicy()
