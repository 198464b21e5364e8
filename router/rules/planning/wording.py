"""The choice in a plain sentence: what told the chosen reader from the next."""

from collections.abc import Sequence

from router.rules.planning.decisions import Candidate
from router.rules.planning.leaving import Leaving, why_left
from router.rules.planning.tiers import LAST_RESORT

_CLEAR = 0.005
"""A part of the index that differs by less (half a per cent) is not worth a word."""

_MORE_THAN_THE_INDEX = LAST_RESORT / 2
"""Only what puts a reader behind all others weighs so much: who had the read is told of apart, the rest are rules."""

_BECAUSE = (
    ("match", "reads this kind of exam better or faster"),
    ("scarcity", "is less needed for what few others can read"),
    ("session", "is there for such work"),
    ("comfort", "has more of the session left for it"),
    ("planned", "takes less of what the region is short of this week"),
)


def why_chosen(candidates: Sequence[Candidate], leaving: Leaving | None) -> str:
    """One sentence; `candidates` come best first and the first is the choice. `leaving`: the list it was on."""
    chosen = candidates[0]
    moved = "" if leaving is None else f"; {why_left(leaving, chosen.reader_id)}"
    only = "the only eligible reader with room" if leaving is None else "the only reader it could move to"
    if len(candidates) == 1:
        again = ", and had it before" if chosen.had_it else ""
        return f"{chosen.reader_id} is {only}{again}{moved}"
    peers = [other for other in candidates[1:] if other.had_it == chosen.had_it]
    behind = [other.reader_id for other in candidates[1:] if other.had_it and not chosen.had_it]
    last = f"; {', '.join(behind)} had it before and did not finish it" if behind else ""
    if not peers:
        only = "the only eligible reader" if leaving is None else only
        return f"{chosen.reader_id} is {only} who did not have it before{last}{moved}"
    among = "; all eligible readers had it before" if chosen.had_it else last
    return f"{chosen.reader_id} {_against(chosen, peers[0])}{among}{moved}"


def _against(chosen: Candidate, other: Candidate) -> str:
    if chosen.queue < other.queue:
        before = "nothing" if chosen.queue == 0 else f"{chosen.queue}"
        return f"can begin first: {before} before it, and {other.queue} at {other.reader_id}"
    better = chosen.index - other.index
    if better < _CLEAR:
        return f"suits as well as {other.reader_id}; decided by id"
    if better > _MORE_THAN_THE_INDEX and chosen.had_it == other.had_it:
        return f"is whom a rule prefers; {other.reader_id} comes next"
    parts = [(getattr(chosen, name) - getattr(other, name), words) for name, words in _BECAUSE]
    because = " and ".join(words for gain, words in sorted(parts, reverse=True)[:2] if gain >= _CLEAR)
    return f"{because} ({_per_cent(better)} better than {other.reader_id})"


def _per_cent(log_gain: float) -> str:
    gain = 2.718281828459045 ** min(log_gain, 10.0) - 1.0
    return f"{gain:.0%}" if gain < 10 else "many times"


def why_waiting(not_now: int, excluded: int) -> str:
    """One sentence; numbers of readers who could, and who could not."""
    if not_now:
        return "whoever could read it has the list full of what comes first, or asks when free; the read waits"
    return "nobody is eligible; the read waits" if excluded else "there is no reader; the read waits"
