"""Directives of a read as JSON, and back."""

from dataclasses import asdict
from typing import Any

from router.model.directives import NO_DIRECTIVES, Clause, Directives, PriorSelection, RuleHold


def directives_to_json(directives: Directives) -> dict[str, Any] | None:
    """Only what is said; None where no rules were asked."""
    if directives == NO_DIRECTIVES:
        return None
    return {key: value for key, value in asdict(directives).items() if value is not None and value != ()}


def directives_from_json(stored: dict[str, Any] | None) -> Directives:
    """What `directives_to_json` wrote."""
    if stored is None:
        return NO_DIRECTIVES
    clauses = {
        key: tuple(
            Clause(entry["rule"], tuple(entry["readers"]), tuple(entry["trusts"])) for entry in stored.get(key, ())
        )
        for key in ("require", "prefer", "exclude")
    }
    priors = stored.get("priors")
    return Directives(
        rule_set=stored.get("rule_set"),
        rules=tuple(stored.get("rules", ())),
        pathway=stored.get("pathway"),
        holds=tuple(RuleHold(entry["rule"], entry["reason"]) for entry in stored.get("holds", ())),
        second_read=stored.get("second_read"),
        priors=None if priors is None else PriorSelection(**{**priors, "modalities": tuple(priors["modalities"])}),
        **clauses,
    )
