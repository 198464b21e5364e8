"""What a refused DiagnosticReport still says of alerts, and of whom; never fails (ADR 122).

Of the identity all is believed or nothing; codes are taken wherever a coding has them, and what may be one but cannot
be read is said to be unseen.
"""

from collections.abc import Iterator

from pydantic import ValidationError

from router.model.report import AlertCode
from router.rules.report_matching import ReportIdentity
from router.web.fhir.identities import identity_of
from router.web.fhir.outcome import ResourceRefused, require_characters
from router.web.fhir.resources import DiagnosticReport

_IDENTIFYING = ("resourceType", "identifier", "basedOn", "subject", "imagingStudy")
_LONGEST_CODE = 200
_OF_A_FIRST_REPORT = {"registered", "partial", "preliminary", "final", "cancelled", "entered-in-error"}


def claimed_identity(body: dict[str, object]) -> ReportIdentity | None:
    """Of whom and of which study it says that it is, where all of that can be read."""
    parts = {key: body[key] for key in _IDENTIFYING if key in body}
    kinds = {"Patient", "ServiceRequest", "ImagingStudy"}
    held = body.get("contained")
    parts["contained"] = [
        one for one in held if isinstance(one, dict) and one.get("resourceType") in kinds
    ] if isinstance(held, list) else []  # fmt: skip
    try:
        require_characters(parts)
        return identity_of(DiagnosticReport.model_validate({**parts, "status": "final", "code": {}}))
    except (ValidationError, ResourceRefused, RecursionError):
        return None


def claimed_codes(body: object) -> tuple[tuple[AlertCode, ...], bool]:
    """Codes of `conclusionCode`, and whether those are all that it may name; `body` may be anything."""
    found = tuple(dict.fromkeys(_codes(body.get("conclusionCode") if isinstance(body, dict) else None)))
    return tuple(code for code in found if code is not None), None not in found


def may_change(body: dict[str, object]) -> bool:
    """Whether it corrects or adds to an earlier report, or does not say that it does not."""
    return str(body.get("status")) not in _OF_A_FIRST_REPORT


def _codes(said: object) -> Iterator[AlertCode | None]:
    """None for each that is no code and no mere text."""
    for concept in _each(said):
        codings = _each(concept.get("coding")) if isinstance(concept, dict) else []
        if not codings and not (isinstance(concept, dict) and isinstance(concept.get("text"), str)):
            yield None
        for coding in codings:
            value, scheme = (coding.get("code"), coding.get("system")) if isinstance(coding, dict) else (None, None)
            yield AlertCode(str(value), str(scheme)) if _is_code(value) and _is_code(scheme) else None


def _each(said: object) -> list[object]:
    return said if isinstance(said, list) else [] if said is None else [said]


def _is_code(value: object) -> bool:
    """As FHIR has codes and systems: without space around them."""
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_CODE and value.isprintable() and value == value.strip()
