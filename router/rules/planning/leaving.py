"""Why a read leaves a list, in the facts that it was decided from: waiting there and here, levels, who cannot go on."""

from dataclasses import dataclass
from datetime import datetime

from router.model.reader import Level, Reader
from router.rules.eligibility import Need, display_problems, entitlement_problems, history_problems, scope_problems
from router.rules.planning.arrays import PlanningProblem

_ABSENT = ("is in no open session, or on leave",)
_BARRED = ("may not read it as it is now",)
_WORTH_TELLING_MIN = 0.5


@dataclass(frozen=True, slots=True)
class Leaving:
    """`there_min`, `here_min`: other reads on either list, in its reader's minutes. `cannot`: why not where it was."""

    holder: str
    there_min: float
    here_min: float
    acute: bool
    subspecialty: str
    level_there: Level | None
    level_here: Level | None
    cannot: tuple[str, ...] = ()


def why_left(leaving: Leaving, reader_id: str) -> str:
    """The end of a sentence about the choice of `reader_id`."""
    taken = f"taken off {leaving.holder}'s list"
    if leaving.cannot:
        return f"{taken}, who cannot read it there ({'; '.join(leaving.cannot)})"
    facts = [*_waiting(leaving), *_levels(leaving, reader_id)]
    return f"{taken}: {', and '.join(facts) or 'speed, session and what else each is needed for speak for the move'}"


def cannot_go_on(
    reader: Reader, row: int, exam_class: int, problem: PlanningProblem, need: Need, now: datetime
) -> tuple[str, ...]:
    """Why the read could not stay with its holder; empty where it could. The room that it takes up is no reason."""
    reasons = (
        *entitlement_problems(reader, need.origin, now),
        *scope_problems(need, reader),
        *history_problems(need, reader),
        *need.directives.reasons_against(reader.id, reader.employer),
        *display_problems(reader, now),
    )
    if reasons:
        return reasons
    if not problem.duty.on_duty[row]:
        return _ABSENT
    return () if problem.fit.eligible[row, exam_class] else _BARRED


def _waiting(leaving: Leaving) -> list[str]:
    longer = leaving.there_min - leaving.here_min
    if longer < _WORTH_TELLING_MIN:
        return []
    behind = f"{leaving.there_min:.0f} min of other reads on that list, {leaving.here_min:.0f} on this"
    return [f"it would have waited up to {longer:.0f} min longer there ({behind})"]


def _levels(leaving: Leaving, reader_id: str) -> list[str]:
    here, there = leaving.level_here, leaving.level_there
    if here is None or there is None or here == there:
        return []
    levels = f"{reader_id} is {_word(here)} and {leaving.holder} {_word(there)} in {leaving.subspecialty}"
    first = leaving.acute and here < there and bool(_waiting(leaving))
    return [f"{levels}; an acute read goes to whoever can begin it first" if first else levels]


def _word(level: Level) -> str:
    return "of special interest" if level is Level.SPECIAL_INTEREST else level.word
