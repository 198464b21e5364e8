"""When a study counts as complete enough for a revision. A timer is never the truth: late instances make the next."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from dicom_nodes.model.procedure import Announced

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
    last_arrival: datetime,
    open_associations: Mapping[str, datetime],
    quiet_s: float,
    now: datetime,
    announced: Announced | None = None,
    hold_s: float = 0.0,
) -> Settle | Wait:
    """Settle after `quiet_s` without a new instance and without an association still sending the study.

    `open_associations` maps each open association that sent an instance of the study to when it last did. Where
    performed procedure steps have ended and every instance `announced` is here, there is nothing to wait for; while
    some are not, the study is held for up to `hold_s` after the last one came, and settles with a notice then.
    """
    if announced is not None:
        if announced.steps_ended and not announced.missing:
            return Settle()
        held_until = max(last_arrival, announced.announced_at) + timedelta(seconds=hold_s)
        if announced.missing and now < held_until:
            return Wait(held_until)
    quiet = timedelta(seconds=quiet_s)
    if now < last_arrival + quiet:
        return Wait(last_arrival + quiet)
    patience = quiet * OPEN_ASSOCIATION_FACTOR
    holding = [last + patience for last in open_associations.values() if now < last + patience]
    return Wait(max(holding)) if holding else Settle()


def missing_notice(announced: int, missing: int) -> str | None:
    """What a person is told of a study that is not whole; None when nothing is missing (HAZARDS 5)."""
    if not missing:
        return None
    are = "is" if missing == 1 else "are"
    return f"Of {announced} instances that were announced for this study, {missing} {are} not here."
