"""Trusts of the network, and the node that stands in front of each."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from router.model.delivery import DEFAULT_RETURNS, ReturnPolicy


@dataclass(frozen=True, slots=True)
class Trust:
    ods_code: str
    name: str
    returns: ReturnPolicy = DEFAULT_RETURNS


@dataclass(frozen=True, slots=True)
class Node:
    """A node's DICOM address, and when it last spoke; `health` is what it last said of itself."""

    ods_code: str
    ae_title: str
    host: str
    port: int
    last_traffic_at: datetime | None = None
    health: dict[str, Any] | None = None
    health_at: datetime | None = None
    expected_since: datetime | None = None

    def is_silent(self, after_s: float, now: datetime) -> bool:
        """Whether nothing was heard for so long; a node never heard counts from when it was first expected."""
        since = self.last_traffic_at or self.expected_since
        return since is not None and since + timedelta(seconds=after_s) <= now
