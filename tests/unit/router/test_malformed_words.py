"""What a caller is told of bad input: what was expected and where, and nothing of what was sent."""

import ast
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError

import router
from dicom_nodes.contract import FactBody
from dicom_nodes.foundation.expectation import Expectation
from router.web.malformed import in_words
from router.web.messages import CredentialBody, ReaderBody, SessionBody, TrustBody
from router.web.rota_messages import PatternBody

SECRET = "SMITH^JANE 9990001112"
READER = {
    "name": "A", "registration": "C1234567", "employer": "RXL", "modalities": ["CT"], "subspecialties": ["neuro"],
    "workstation": {"node": "RXL", "ae_title": "WS"},
}  # fmt: skip
RADIOGRAPHER = READER | {"profession": "reporting_radiographer"}
BAD_PLACE = {"node": "RXL", "ae_title": SECRET * 2}
CREDENTIAL = {"trust": "RXL", "valid_until": "2026-01-01T00:00:00Z"}
TRUST = {"ods_code": "RXL", "name": "N", "returns": {"channels": ["ris"], "closed_by": ["fhir"]}}
SESSION = {
    "reader_id": "dr-a", "starts_at": "2026-11-27T09:00:00Z", "ends_at": "2026-11-27T13:00:00Z", "capacity_reads": 5,
}  # fmt: skip
PATTERN = {
    "reader_id": "dr-a", "weekdays": [0], "starts": "09:00", "ends": "13:00", "first_day": "2026-11-02",
    "last_day": "2026-12-02", "kind": "elective",
}  # fmt: skip


def told(model: Any, body: object) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(model).validate_python(body)
    return [in_words(detail | {"loc": ("body", *detail["loc"])}) for detail in map(dict, caught.value.errors())]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "body", "words"),
    [
        (ReaderBody, RADIOGRAPHER, "body: exam_scope: a reporting radiographer must have one"),
        (ReaderBody, READER | {"levels": {"neuro": SECRET}}, "body.levels.neuro: expected 'general', 'special_"),
        (ReaderBody, READER | {"registration": SECRET}, "body.registration: expected text of the form ^"),
        (ReaderBody, READER | {"workstation": BAD_PLACE}, "body.workstation.ae_title: expected an AE title of 1 to 16"),
        (ReaderBody, READER | {SECRET: 1}, "body.(key): unknown field; is it misspelt?"),
        (SessionBody, SESSION | {"kind": SECRET}, "body.kind: expected '"),
        (SessionBody, SESSION | {"ends_at": SESSION["starts_at"]}, "body: ends_at must be later than starts_at"),
        (SessionBody, SESSION | {"capacity_reads": 0}, "body.capacity_reads: expected 1 or more"),
        (SessionBody, SESSION | {"starts_at": SECRET}, "body.starts_at: expected a date and time with its offset"),
        (SessionBody, SESSION | {"starts_at": "2026-11-27T09:00"}, "body.starts_at: expected a date and time with its"),
        (CredentialBody, CREDENTIAL | {"valid_from": "2027-02-01T00:00:00Z"}, "body: valid_until must be later"),
        (CredentialBody, CREDENTIAL, "body.valid_from: is missing"),
        (PatternBody, PATTERN | {"weekdays": [7]}, "body: weekdays must be 0 (Monday) to 6 (Sunday)"),
        (PatternBody, PATTERN | {"weekdays": []}, "body.weekdays: expected 1 entries or more"),
        (TrustBody, TRUST, "body.returns: closed_by: expected only channels that"),
        (FactBody, {"kind": SECRET}, "body: expected 'kind' to be one of '"),
    ],
)  # fmt: skip
def test_bad_input_is_told_what_was_expected(model: Any, body: object, words: str) -> None:
    (said,) = told(model, body)
    assert said.startswith(words)


def _quoting(text: str) -> str:
    raise ValueError(f"cannot read {text}")


def _constant(_text: str) -> str:
    raise Expectation("expected a colour")


class Everything(BaseModel):
    quoted: Annotated[str, AfterValidator(_quoting)]
    ours: Annotated[str, AfterValidator(_constant)]
    literal: Literal["a"]
    whole: Annotated[int, Field(ge=1)]
    number: float
    yes: bool
    texts: list[str]
    words: dict[str, int]
    at: AwareDatetime
    naive: datetime
    day: date
    clock: time
    short: Annotated[str, Field(max_length=3)]
    shaped: Annotated[str, Field(pattern="^[a-c]$")]


def test_no_kind_of_error_tells_what_was_sent() -> None:
    said = told(Everything, dict.fromkeys(Everything.model_fields, SECRET))
    assert len(said) == len(Everything.model_fields)
    assert not any(part in one for one in said for part in ("SMITH", "JANE", "999"))
    assert said[:2] == ["body.quoted: cannot be used", "body.ours: expected a colour"]
    (nested,) = told(dict[str, dict[str, int]], {SECRET: {SECRET: SECRET}})
    assert nested == "body.(key).(key): expected a whole number"


def test_the_words_of_our_validators_are_constant() -> None:
    """So that they can be told: an f-string could hold the input, and a ValueError is told as `cannot be used`."""
    root, calls = Path(next(iter(router.__path__))), 0
    for file in [*root.rglob("*.py"), *(root.parent / "dicom_nodes" / "foundation").glob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            assert node.func.id != "ValueError" or root / "web" not in file.parents, (
                f"{file}: Expectation, not ValueError"
            )
            if node.func.id == "Expectation":
                calls += 1
                (words,) = node.args
                assert isinstance(words, ast.Constant), f"{file}:{node.lineno}"
    assert calls > 10
