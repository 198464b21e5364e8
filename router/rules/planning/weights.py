"""What a breach costs where no pathway says so: the shorter the time allowed, the more."""

from datetime import timedelta

_STEPS = ((60.0, 60.0), (4 * 60.0, 30.0), (24 * 60.0, 10.0), (7 * 24 * 60.0, 4.0))
"""(minutes allowed at most, weight)."""
_ROUTINE = 1.0


def weight_of(allowed: timedelta) -> float:
    """The weight of a read that has so long from its arrival to its due time."""
    minutes = allowed.total_seconds() / 60.0
    return next((weight for most, weight in _STEPS if minutes <= most), _ROUTINE)
