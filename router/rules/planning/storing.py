"""An explanation as JSON: kept small, because one is written for every decision, and shown in full.

Hundreds of readers are excluded for a handful of reasons: the reasons are stored once with the readers' ids.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from router.rules.planning.decisions import Excluded, Explanation

_GROUPED = ("exclusions", "not_now")


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    """The explanation as it is stored."""
    return {
        "rule": explanation.rule,
        "considered_at": explanation.considered_at.isoformat(),
        "due_at": explanation.due_at.isoformat(),
        "candidates": [asdict(candidate) for candidate in explanation.candidates],
        "candidate_count": explanation.candidate_count,
        "exclusions": _groups(explanation.exclusions),
        "not_now": _groups(explanation.not_now),
        "others": [{"reason": reason, "readers": count} for reason, count in explanation.others],
        "acute": explanation.acute,
        "given_up": explanation.given_up,
        "urgency": explanation.urgency,
        "choice": explanation.choice,
        "version": explanation.version,
        "inputs": explanation.inputs,
    }


def in_full(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored explanation as it is shown: each excluded reader with its reasons. Earlier versions stored it so."""
    return {key: _spread(value) if key in _GROUPED else value for key, value in stored.items()}


def _groups(excluded: Excluded) -> list[dict[str, Any]]:
    return [{"reasons": list(reasons), "readers": list(readers)} for reasons, readers in excluded.groups]


def _spread(groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    spread = [
        {"reader_id": reader, "reasons": group["reasons"]}
        for group in groups
        for reader in group.get("readers") or [group["reader_id"]]
    ]
    return sorted(spread, key=lambda one: one["reader_id"])
