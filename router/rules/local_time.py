"""Local time of the network to UTC: what daylight saving skips does not exist, and what it repeats is said so."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from router.model.errors import Invalid

ZONE = ZoneInfo("Europe/London")


class SkippedTime(Invalid):
    """The clocks went forward over it."""


class RepeatedTime(Invalid):
    """The clocks went back over it: it names two instants."""


def utc_of(local: datetime, zone: tzinfo = ZONE) -> datetime:
    """The instant of a local wall-clock time without an offset; a time with one is taken as it says.

    Raises:
        SkippedTime, RepeatedTime: it names no instant, or two; says what to write instead.
    """
    if local.tzinfo is not None:
        return local.astimezone(UTC)
    early, late = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early.astimezone(zone).replace(tzinfo=None) != local:
        raise SkippedTime(f"{local:%Y-%m-%d %H:%M} does not exist: the clocks go forward in that hour")
    if early != late:
        offsets = " or ".join(f"{local:%Y-%m-%dT%H:%M}{at.astimezone(zone):%z}" for at in (early, late))
        raise RepeatedTime(f"{local:%Y-%m-%d %H:%M} occurs twice: the clocks go back in that hour; write {offsets}")
    return early


def in_words(at: datetime, zone: tzinfo = ZONE) -> str:
    """As people here say it: Tue 3 Nov 2026 08:00, with the zone's name because it changes twice a year."""
    local = at.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y %H:%M %Z}"


def day_start(now: datetime, zone: tzinfo = ZONE) -> datetime:
    """When the local day of this instant began, in UTC; midnight exists on every day of Europe/London."""
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.astimezone(UTC)
