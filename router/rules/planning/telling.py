"""A stored explanation in plain sentences, for people who were not there."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NAMED = 6
_MADE_ROOM = (
    "Not everything that falls due in the coming week can be read in time with the sessions there are: this read makes "
    "room for others, which weigh more for the minutes they take. It is judged anew when the region is planned ahead."
)


def tell_choice(explanation: Mapping[str, Any], reader_id: str) -> Iterator[str]:
    """Why the reader got it. Explanations of earlier versions lack parts; what is there is told."""
    candidates = explanation.get("candidates", [])
    count = explanation.get("candidate_count") or len(candidates)
    yield f"It was due {explanation['due_at']} and considered {explanation['considered_at']}{_tier(explanation)}."
    if explanation.get("given_up"):
        yield _MADE_ROOM
    yield f"{count} could take it then; {reader_id} was chosen: {explanation['choice']}."
    if len(candidates) > 1 and "index" in candidates[1]:
        first, second = candidates[0], candidates[1]
        yield (
            f"Runner-up was {second['reader_id']} (index {second['index']:.2f} against {first['index']:.2f}, "
            f"{second['queue']} reads before it against {first['queue']})."
        )
    yield from _tell_others(explanation)
    if explanation.get("version"):
        yield f"Rule {explanation['version']}: {explanation['rule']}. Inputs {str(explanation.get('inputs'))[:16]}."


def tell_waiting(explanation: Mapping[str, Any]) -> Iterator[str]:
    """Why nobody has it."""
    yield f"It waits, due {explanation['due_at']}{_tier(explanation)}: {explanation['choice']}."
    if explanation.get("given_up"):
        yield _MADE_ROOM
    yield from _tell_others(explanation)


def _tier(explanation: Mapping[str, Any]) -> str:
    return ", as an acute read before all others" if explanation.get("acute") else ""


def _tell_others(explanation: Mapping[str, Any]) -> Iterator[str]:
    for words, reasons in _by_reason(explanation.get("not_now", [])).items():
        yield f"Could read it, but not then: {_names(reasons)}: {words}."
    for words, readers in _by_reason(explanation.get("exclusions", [])).items():
        yield f"Could not: {_names(readers)}: {words}."
    for other in explanation.get("others", []):
        yield f"Could not: {other['readers']} more: {other['reason']}."


def _by_reason(excluded: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    alike: dict[str, list[str]] = defaultdict(list)
    for one in excluded:
        alike["; ".join(one["reasons"])].append(one["reader_id"])
    return alike


def _names(readers: Sequence[str]) -> str:
    more = f" and {len(readers) - _NAMED} more" if len(readers) > _NAMED else ""
    return ", ".join(readers[:_NAMED]) + more
