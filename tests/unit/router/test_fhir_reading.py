"""A FHIR DiagnosticReport as a report: its text, status, identity and people, and what is refused where."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from router.model.report import AlertCode, Report, ReportAuthor
from router.model.study import PatientKey
from router.web.fhir.diagnostic_report import Sender, report_of
from router.web.fhir.outcome import ResourceRefused, issues_of, outcome, require_characters
from router.web.fhir.resources import DiagnosticReport
from tests.fakes.fhir_samples import GMC, NHS, diagnostic_report, form, typed
from tests.fakes.pdf_samples import pdf_of, picture_pdf

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def read(**changes: Any) -> Report:
    resource = DiagnosticReport.model_validate(diagnostic_report(**changes))
    return report_of(resource, Sender("RXL", "node RXL", None), b"bytes", NOW)


def test_identity_is_taken_with_its_issuers() -> None:
    report = read()
    assert report.patient == PatientKey("RXN", "H100200", "9990000018", date(1950, 2, 3))
    assert (report.study_instance_uid, report.accession_number, report.accession_issuer) == (
        "1.2.3.4",
        "A-1.2.3.4",
        "RXN",
    )
    assert (report.node, report.channel, report.authored_at) == ("RXL", "fhir", NOW)


def test_identifiers_of_the_references_themselves_count() -> None:
    report = read(contained=None, basedOn=[{"identifier": typed("ACSN", "A9", None)}], resultsInterpreter=None,
                  subject={"identifier": {"system": NHS, "value": "9990000018"}})  # fmt: skip
    assert report.patient == PatientKey(None, None, "9990000018", None)
    assert (report.accession_number, report.accession_issuer) == ("A9", None)


def test_people_are_authors_and_assistants() -> None:
    chris = {"identifier": {"system": GMC, "value": "7654321"}, "display": "Chris"}
    report = read(performer=[chris, {"reference": "#r"}])
    assert report.authors == (
        ReportAuthor("C1000001", "Okafor^Ada^B^Dr"),
        ReportAuthor("C7654321", "Chris", "assistant"),
    )
    assert report.registration == "C1000001"
    assert read(resultsInterpreter=None, performer=[chris]).registration == "C7654321"


def test_conclusion_codes_are_carried() -> None:
    coded = [{"coding": [{"system": "urn:trust:RXN", "code": "CR1", "display": "Critical"}]}] * 2
    assert read(conclusionCode=coded).alert_codes == (AlertCode("CR1", "urn:trust:RXN", "Critical"),)


@pytest.mark.parametrize(
    ("forms", "conclusion", "text"),
    [
        ([form("plain"), form("<p>html</p>", "text/html")], None, "plain"),
        ([form("<h1>CT</h1><p>A &lt; 5&nbsp;mm<br/>next</p><ul><li>one<li>two</ul>", "text/html")], None,
         "CT\nA < 5\xa0mm\nnext\none\ntwo"),
        ([form(pdf_of("Siân: normal."), "application/pdf")], None, "Siân: normal."),
        ([form("Siân".encode("latin-1"), "text/plain; charset=ISO-8859-1")], None, "Siân"),
        ([form("all of it. Normal.")], "Normal.", "all of it. Normal."),
        ([form("the findings")], "Cancer.", "the findings\n\nCONCLUSION\nCancer."),
        (None, "only a conclusion", "only a conclusion"),
    ],
)  # fmt: skip
def test_the_text_is_the_best_form_and_a_conclusion_that_says_more(
    forms: list[dict[str, str]] | None, conclusion: str | None, text: str
) -> None:
    assert read(presentedForm=forms, conclusion=conclusion).text == text


@pytest.mark.parametrize(
    ("status", "code", "taken"),
    [
        ("preliminary", "18748-4", ("P", False)),
        ("partial", "18748-4", ("P", False)),
        ("final", "18748-4", ("F", False)),
        ("corrected", "18748-4", ("C", False)),
        ("appended", "18748-4", ("C", False)),
        ("appended", "55107-7", ("C", True)),
        ("cancelled", "18748-4", ("X", False)),
        ("entered-in-error", "18748-4", ("X", False)),
    ],
)
def test_status(status: str, code: str, taken: tuple[str, bool]) -> None:
    report = read(status=status, code={"coding": [{"code": code}]})
    assert (report.status, report.addendum) == taken


def patient(*identifiers: dict[str, Any], **more: Any) -> dict[str, Any]:
    contained = {"resourceType": "Patient", "id": "p", "identifier": list(identifiers), **more}
    return {"contained": [contained], "basedOn": None, "resultsInterpreter": None}


@pytest.mark.parametrize(
    ("changes", "expression", "words"),
    [
        ({"status": "nonsense"}, ".status", ""),
        ({"status": "registered"}, ".status", "no report yet"),
        ({"code": None}, ".code", "required"),
        ({"presentedForm": None}, ".presentedForm", "no report text"),
        ({"presentedForm": [form("  ")]}, ".presentedForm", "no report text"),
        ({"presentedForm": [{"contentType": "text/plain", "data": "!"}]}, ".presentedForm[0].data", "Base64"),
        ({"presentedForm": [{"contentType": "text/plain", "url": "http://x"}]}, ".presentedForm[0].data",
         "not followed"),
        ({"presentedForm": [form(b"Si\xe2n")]}, ".presentedForm[0].data", "byte 2 is no character"),
        ({"presentedForm": [form("a\x0bb")]}, ".presentedForm", "control character U+000B"),
        ({"presentedForm": [form(picture_pdf(), "application/pdf")]}, ".presentedForm[0].data", "picture"),
        ({"presentedForm": [form(b"%PDF-1.4", "application/pdf")]}, ".presentedForm[0].data", "damaged"),
        ({"presentedForm": [form("<p>no <del>bleed</del></p>", "text/html")]}, ".presentedForm[0].data",
         "<del>"),
        ({"presentedForm": [form('<p style="display: none">no</p>x', "text/html")]},
         ".presentedForm[0].data", "hidden"),
        ({"presentedForm": [form("x", "image/png")]}, ".presentedForm", "no form that is read"),
        ({"subject": {"reference": "Patient/1"}}, ".subject", "not contained"),
        (patient({"system": NHS, "value": "9990000019"}), ".subject", "check digit"),
        (patient(typed("MR", "H1"), typed("MR", "H2", "RXL")), ".subject", "several hospital numbers"),
        ({"imagingStudy": [{"identifier": {"system": "urn:dicom:uid", "value": "no uid"}}]},
         ".imagingStudy[0]", "no DICOM UID"),
        ({"basedOn": [{"identifier": typed("ACSN", "1")}, {"identifier": typed("ACSN", "2")}]}, ".basedOn",
         "two accession numbers"),
        ({"issued": 0}, ".issued", "text"),
        ({"issued": "2026-11-02T10:00:00"}, ".issued", ""),
        ({"modifierExtension": [{"url": "x"}]}, ".modifierExtension", "modifier extension"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_saying_what_and_where(
    changes: dict[str, Any], expression: str, words: str
) -> None:
    with pytest.raises((ValidationError, ResourceRefused)) as caught:
        read(**changes)
    error = caught.value
    issue = (issues_of(error) if isinstance(error, ValidationError) else error.issues)[0]
    assert issue.expression == f"DiagnosticReport{expression}"
    assert words in issue.diagnostics
    told = json.loads(bytes(outcome([issue], 422).body))["issue"][0]
    assert told["expression"] == [issue.expression]
    for secret in ("9990000018", "999 000 0018", "H100200", "Siân", "Okafor"):
        assert secret not in str(told)


@pytest.mark.parametrize("bad", ["a\x00b", "half \ud83d a pair"])
def test_what_is_no_character_is_refused_where_it_stands(bad: str) -> None:
    with pytest.raises(ResourceRefused) as caught:
        require_characters(diagnostic_report(conclusionCode=[{"text": bad}]))
    assert caught.value.issues[0].expression == "DiagnosticReport.conclusionCode[0].text"
    require_characters(diagnostic_report(conclusion="Ł😀 \\u0000"))


@pytest.mark.parametrize("issued", ["2026-11-02", "2026-11-02T09:00:00", "2 November", ""])
def test_an_instant_that_is_none_says_what_was_expected(issued: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read(issued=issued)
    (issue,) = issues_of(refused.value)
    assert issue.expression == "DiagnosticReport.issued"
    assert issue.diagnostics.startswith("expected an instant: date, time and offset from UTC, such as 2026-11-02T")
