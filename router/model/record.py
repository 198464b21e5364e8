"""What the router writes down: ledger entries, and items that wait for a person."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the append-only ledger; `event` is a fixed name such as `read.assigned`."""

    event: str
    at: datetime
    actor: str
    study_instance_uid: str | None = None
    read_id: str | None = None
    report_id: str | None = None
    order_id: str | None = None
    node: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    id: int | None = None


@dataclass(frozen=True, slots=True)
class QueueItem:
    """Something a person must look at. `dedupe_key` makes it appear once."""

    id: str
    kind: str
    reason: str
    dedupe_key: str
    opened_at: datetime
    study_instance_uid: str | None = None
    read_id: str | None = None
    report_id: str | None = None
    order_id: str | None = None
    node: str | None = None
    resend_kind: str | None = None
    resend_key: str | None = None
    resolved_by: str | None = None
    resolved_at: datetime | None = None
    note: str | None = None
