"""When a study counts as complete enough for a revision. A timer is never the truth: late instances make the next."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

OPEN_ASSOCIATION_FACTOR = 10
"""An open association that sent nothing of the study for this many quiet times no longer holds it back."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Make the revision now."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again at `until` (aware UTC)."""

    until: datetime


def decide(
    last_arrival: datetime, open_associations: Mapping[str, datetime], quiet_s: float, now: datetime
) -> Settle | Wait:
    """Settle after `quiet_s` without a new instance and without an association still sending the study.

    `open_associations` maps each open association that sent an instance of the study to when it last did.
    """
    quiet = timedelta(seconds=quiet_s)
    if now < last_arrival + quiet:
        return Wait(last_arrival + quiet)
    patience = quiet * OPEN_ASSOCIATION_FACTOR
    holding = [last + patience for last in open_associations.values() if now < last + patience]
    return Wait(max(holding)) if holding else Settle()
