"""What a refused DiagnosticReport still says of alerts, and of whom; never fails (ADR 122).

Of the identity all is believed or nothing; codes are taken wherever a coding has them.
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


def claimed_codes(body: dict[str, object]) -> tuple[AlertCode, ...]:
    """Codes of `conclusionCode`, as far as they are codes."""
    return tuple(dict.fromkeys(_codes(body.get("conclusionCode"))))


def _codes(concepts: object) -> Iterator[AlertCode]:
    for concept in concepts if isinstance(concepts, list) else [concepts]:
        codings = concept.get("coding") if isinstance(concept, dict) else None
        for coding in codings if isinstance(codings, list) else [codings]:
            value, scheme = (coding.get("code"), coding.get("system")) if isinstance(coding, dict) else (None, None)
            if _is_code(value) and _is_code(scheme):
                yield AlertCode(str(value), str(scheme))


def _is_code(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_CODE and value.isprintable()
