"""Texts of rules for tests, and what the routing of the tests' region knows."""

from dataclasses import replace
from datetime import date
from typing import Any

from router.config import RoutingFile
from router.model.study import PatientKey, Study
from router.rules.routing_rules.compiled import compile_text
from router.rules.routing_rules.evaluation import Ruling, evaluate
from router.rules.routing_rules.known_names import KnownNames
from router.rules.study_routing import Routed, route
from tests.unit.router.people import NOW
from tests.unit.router.test_report_matching import study

ROUTING = RoutingFile.model_validate(
    {
        "readable_modalities": ["CT", "MR"],
        "priorities": {"emergency": 1.0, "urgent": 24.0, "routine": 672.0},
        "exams": [
            {"code": "CSKUH", "subspecialty": "neuro", "minutes": 7.5, "priority": "urgent"},
            {"modalities": ["CT"], "subspecialty": "body", "minutes": 10, "priority": "routine"},
            {"modalities": ["MR"], "subspecialty": "neuro", "minutes": 10, "priority": "routine"},
        ],
    }
)
KNOWN = KnownNames(
    subspecialties=frozenset({"neuro", "body"}),
    priorities=frozenset(ROUTING.priorities),
    readers=frozenset({"dr-a", "dr-b"}),
    trusts=frozenset({"RXN", "RXL"}),
    modalities=frozenset(ROUTING.readable_modalities),
    exam_codes=frozenset({"CSKUH"}),
)


def rule(condition: str, effects: str = 'hold = "look"', name: str = "one", extra: str = "") -> str:
    """One rule; `effects` and `extra` are TOML lines."""
    return f"""
[[rules]]
name = "{name}"
owner = "lead"
condition = '{condition}'
{extra}
[rules.effects]
{effects}
"""


def text(*rules: str, default: str = "", top: str = "") -> str:
    return f"{top}\n{''.join(rules)}\n[default]\n{default}\n"


def a_study(**changes: Any) -> Study:
    patient = PatientKey("RXN", "H1", None, changes.pop("birth_date", date(1950, 2, 3)))
    return replace(study(description="CT Head stroke", body_part="Head"), patient=patient, **changes)


def ruled(rules_text: str, **changes: Any) -> Ruling:
    """The rules' word on a study of the tests' region, at `at` (else `NOW`)."""
    at = changes.pop("at", NOW)
    made = a_study(**changes)
    outcome = route(made, ROUTING, at)
    assert isinstance(outcome, Routed)
    return evaluate(compile_text(rules_text), 3, made, outcome, ROUTING, at)
