"""Tables in which nothing is lost: what is too long folds, ids can be typed as they are shown, and pipes get it whole.

On a narrow terminal an id is shown as it begins, as long as tells it from the others; every command takes it so.
"""

from collections.abc import Collection, Sequence

from rich.box import HEAVY_HEAD, SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

_WIDE = 160
_UNLIMITED = 10_000
_SHORTEST = 8
_A_DAY = len("2026-11-27")


def screen() -> Console:
    """As wide as the terminal; where nobody looks, so wide that nothing folds."""
    console = Console()
    return console if console.is_terminal else Console(width=_UNLIMITED)


def is_narrow(console: Console) -> bool:
    return console.width < _WIDE


def table(console: Console, *headings: str, title: str, ids: Sequence[str] = ()) -> Table:
    """Folds what does not fit; the first column is as wide as the longest of `ids`, where there are any."""
    box, padding = (SIMPLE_HEAD, (0, 1, 0, 0)) if is_narrow(console) else (HEAVY_HEAD, (0, 1))
    made = Table(title=title, box=box, padding=padding, pad_edge=not is_narrow(console))
    for number, heading in enumerate(headings):
        width = _A_DAY if is_narrow(console) and heading.endswith("(UTC)") else None
        if ids and number == 0:
            width = max(len(heading), *map(len, ids))
        made.add_column(heading, overflow="fold", width=width)
    return made


def shown_ids(console: Console, ids: Collection[str]) -> dict[str, str]:
    """Each id as it is shown: whole where there is room, else as short as tells all of these apart."""
    if not is_narrow(console):
        return {one: one for one in ids}
    length = _SHORTEST
    while len({one[:length] for one in ids}) < len(set(ids)):
        length += 1
    return {one: one[:length] for one in ids}
