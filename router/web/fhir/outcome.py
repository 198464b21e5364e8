"""OperationOutcome: what went well or wrong, and where (FHIR R4 3.2.1; the places are FHIRPath expressions)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import ValidationError

MEDIA_TYPE = "application/fhir+json"
_INSTANT = "expected an instant: date, time and offset from UTC, such as 2026-11-02T09:00:00Z"
_SURROGATE = re.compile("[\ud800-\udfff]")
_CODES = {"missing": "required", "literal_error": "code-invalid", "json_invalid": "structure"}


@dataclass(frozen=True, slots=True)
class Issue:
    """`expression` names an element; `diagnostics` quotes nothing of the resource."""

    code: str
    diagnostics: str
    expression: str | None = None
    severity: str = "error"


class ResourceRefused(Exception):
    """The resource is JSON, but no report that can be taken."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        self.issues = issues
        super().__init__(
            "; ".join(f"{one.expression}: {one.diagnostics}" if one.expression else one.diagnostics for one in issues)
        )


def refuse(expression: str, diagnostics: str, code: str = "value") -> ResourceRefused:
    """One thing is wrong at one place."""
    return ResourceRefused((Issue(code, diagnostics, f"DiagnosticReport.{expression}"),))


def require_characters(value: object, place: str = "DiagnosticReport") -> None:
    """No NUL and no half of a surrogate pair: neither is a character, and no database keeps one.

    Raises:
        ResourceRefused: says where.
    """
    if isinstance(value, str) and ("\x00" in value or (not value.isascii() and _SURROGATE.search(value))):
        raise ResourceRefused((Issue("value", "holds a NUL or half a surrogate pair, which is no character", place),))
    if isinstance(value, dict):
        for name, inner in value.items():
            require_characters(inner, f"{place}.{name if name.isidentifier() else '?'}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            require_characters(inner, f"{place}[{number}]")


def outcome(issues: Sequence[Issue], status: int, headers: dict[str, str] | None = None) -> JSONResponse:
    """An OperationOutcome as an answer."""
    body = {"resourceType": "OperationOutcome", "issue": [_issue(issue) for issue in issues]}
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def issues_of(error: ValidationError) -> list[Issue]:
    """What pydantic found, without any value."""
    return [_of_one(dict(one)) for one in error.errors(include_url=False, include_input=False, include_context=False)][
        :20
    ]


def _of_one(error: dict[str, Any]) -> Issue:
    kind = str(error["type"])
    code = _CODES.get(kind, "structure" if kind.endswith("_type") else "value")
    words = str(error["msg"]) if kind in {"missing", "value_error", "literal_error"} else kind.replace("_", " ")
    if kind == "timezone_aware" or kind.startswith("datetime_"):
        words = _INSTANT
    return Issue(code, words, _path(error["loc"]))


def _path(places: Sequence[int | str]) -> str:
    """`DiagnosticReport.presentedForm[0].data`; the tags of contained resources are no elements."""
    path = "DiagnosticReport"
    for number, place in enumerate(places):
        if isinstance(place, int):
            path += f"[{place}]"
        elif number < 2 or not isinstance(places[number - 1], int) or places[number - 2] != "contained":
            path += f".{place}"
    return path


def _issue(issue: Issue) -> dict[str, Any]:
    told: dict[str, Any] = {"severity": issue.severity, "code": issue.code, "diagnostics": issue.diagnostics}
    return told if issue.expression is None else told | {"expression": [issue.expression]}
