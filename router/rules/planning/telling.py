"""A stored explanation in plain sentences, for people who were not there."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from router.rules.local_time import in_words

_NAMED = 6
_MADE_ROOM = (
    "Not everything that falls due in the coming week can be read in time with the sessions there are: this read makes "
    "room for others, which weigh more for the minutes they take. It is judged anew when the region is planned ahead."
)


def tell_choice(explanation: Mapping[str, Any], reader_id: str, told: Collection[str | None] = ()) -> Iterator[str]:
    """Why the reader got it. Explanations of earlier versions lack parts; what is there is told.

    `told` are versions of the rule that were given in full before.
    """
    candidates = explanation.get("candidates", [])
    count = explanation.get("candidate_count") or len(candidates)
    due, at = _when(explanation["due_at"]), _when(explanation["considered_at"])
    yield f"It was due {due} and considered {at}{_tier(explanation)}."
    if explanation.get("given_up"):
        yield _MADE_ROOM
    yield f"{_readers(count)} could take it then. Chosen was {reader_id}: {explanation['choice']}."
    if len(candidates) > 1 and "index" in candidates[1]:
        first, second = candidates[0], candidates[1]
        yield (
            f"Next best was {second['reader_id']}, with {second['queue']} reads to do before it against "
            f"{first['queue']}, and a score of {second['index']:.2f} against {first['index']:.2f} (higher is better)."
        )
    yield from _tell_others(explanation)
    if explanation.get("version"):
        digest = str(explanation.get("inputs"))[:16]
        rule = "as above" if explanation["version"] in told else explanation["rule"]
        yield f"Rule {explanation['version']}: {rule}. Digest of all it was decided from: {digest}."


def tell_waiting(explanation: Mapping[str, Any]) -> Iterator[str]:
    """Why nobody has it."""
    yield f"Nobody has it yet. It is due {_when(explanation['due_at'])}{_tier(explanation)}."
    yield f"As of {_when(explanation['considered_at'])}: {explanation['choice']}."
    if explanation.get("given_up"):
        yield _MADE_ROOM
    yield from _tell_others(explanation)


def tell_end(outcome: str | None, reason: str | None, reader_id: str) -> Iterator[str]:
    """How the reader's time with it ended; nothing while it lasts."""
    if outcome is not None:
        words = _ENDED.get(outcome, f"it ended with {outcome}").format(reader=reader_id)
        yield _closed(f"Then {words}{'' if reason is None else f': {reason}'}")


def tell_rules(rule_set: int | None, rules: Sequence[str]) -> Iterator[str]:
    """Which version of the routing rules was asked, and which rules matched; nothing where none was active."""
    if rule_set is not None:
        matched = f"what matched was {', '.join(map(repr, rules))}" if rules else "no rule matched"
        yield f"Routed by rule set {rule_set}: {matched}."


def tell_asked(kind: str, reason: str, opened_at: datetime) -> str:
    """What waits for a person, as the human queue has it."""
    return _closed(f"A person is asked about it since {in_words(opened_at)} ({kind}): {reason}")


_ENDED = {
    "verify": "{reader} signed the report",
    "decline": "{reader} declined it",
    "lapse": "{reader} did not open it in time, and it was offered again",
    "lose": "nothing more was heard of {reader} reading it, and it was offered again",
    "withdraw": "it was taken back from {reader}",
    "move": "it was moved to another list",
    "supersede": "new images came, and a fresh read took its place",
    "cancel": "it was cancelled",
    "fail": "it was given up here",
    "accept": "a person accepted a report that had waited",
    "unroute": "new images made another exam of it",
}


def _closed(sentence: str) -> str:
    """With a full stop, unless a person's words end it already."""
    return sentence if sentence.endswith((".", "?", "!")) else f"{sentence}."


def _when(stored: str) -> str:
    try:
        return in_words(datetime.fromisoformat(stored))
    except ValueError:
        return stored


def _readers(count: int) -> str:
    return "1 reader" if count == 1 else f"{count} readers"


def _tier(explanation: Mapping[str, Any]) -> str:
    return ", as an acute read before all others" if explanation.get("acute") else ""


def _tell_others(explanation: Mapping[str, Any]) -> Iterator[str]:
    for words, reasons in _by_reason(explanation.get("not_now", [])).items():
        yield _closed(f"Eligible, but passed over: {_names(reasons)}: {words}")
    for words, readers in _by_reason(explanation.get("exclusions", [])).items():
        yield _closed(f"Could not: {_names(readers)}: {words}")
    for other in explanation.get("others", []):
        yield _closed(f"Could not: {other['readers']} more: {other['reason']}")


def _by_reason(excluded: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    alike: dict[str, list[str]] = defaultdict(list)
    for one in excluded:
        alike["; ".join(one["reasons"])].append(one["reader_id"])
    return alike


def _names(readers: Sequence[str]) -> str:
    more = f" and {len(readers) - _NAMED} more" if len(readers) > _NAMED else ""
    return ", ".join(readers[:_NAMED]) + more
