"""DiagnosticReport out: valid for another library, under the origin's numbers, and the text is the same text."""

import json
from typing import Any

import pytest
from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dicom_nodes.fhir.outgoing_report import text_of, write_report
from dicom_nodes.model.errors import PeerRefused
from dicom_nodes.model.report import ReportAuthor, ReportSection
from dicom_nodes.model.report_text import control_character
from tests.fakes.report_samples import NHS_NUMBER, STUDY_UID, outgoing_report

TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("<>&|^~\\\r\n\t€Łاليد😀")).filter(str.strip)


def written(**changes: object) -> bytes:
    return write_report(outgoing_report(**changes), "Lancashire Teaching", "RXN", with_id=True).body


def resource(**changes: object) -> dict[str, Any]:
    return dict(json.loads(written(**changes)))


@settings(deadline=None)
@given(TEXT)
@example("T1 < 5 mm | ^ ~ \\ & > ]]> </pre></div>\f€ Ł تقرير 😀")
@example("a\rb\nc\r\nd\n ")
def test_any_text_reads_back_identical_or_is_refused(text: str) -> None:
    if control_character(text):
        with pytest.raises(PeerRefused, match="control character"):
            written(text=text)
    else:
        body = written(text=text)
        assert text_of(body) == text
        assert DiagnosticReport.model_validate_json(body).presentedForm[0].size == len(text.encode())


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"status": "P"}, "preliminary"),
        ({"status": "F"}, "final"),
        ({"status": "C"}, "corrected"),
        ({"status": "C", "addendum": True}, "appended"),
        ({"status": "X"}, "cancelled"),
    ],
)
def test_another_library_finds_every_status_valid(changes: dict[str, object], status: str) -> None:
    assert DiagnosticReport.model_validate_json(written(**changes)).status == status


def test_a_report_under_another_identity_is_another_version_for_who_creates_each_once() -> None:
    moved = {"patient_id": "H900900", "has_moved": True}
    assert resource()["identifier"] != resource(**moved)["identifier"]


def test_a_report_with_little_in_it_is_still_valid() -> None:
    nothing = dict.fromkeys(
        ("accession_number", "accession_issuer", "patient_id", "patient_id_issuer", "nhs_number", "birth_date",
         "patient_name", "patient_sex", "study_time", "study_description", "exam_code", "modality",
         "author_registration", "author_name")
    )  # fmt: skip
    DiagnosticReport.model_validate_json(written(**nothing))


def test_it_stands_under_the_origins_own_numbers() -> None:
    said = resource()
    patient = next(one for one in said["contained"] if one["resourceType"] == "Patient")
    nhs, hospital = patient["identifier"]
    assert nhs == {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": NHS_NUMBER}
    assert hospital["value"] == "H123456"
    assert hospital["assigner"]["identifier"] == {
        "system": "https://fhir.nhs.uk/Id/ods-organization-code",
        "value": "RXN",
    }
    assert (patient["birthDate"], patient["gender"]) == ("1960-02-03", "female")
    assert patient["name"][0]["given"] == ["Siân", "Łucja"]
    (request,) = said["basedOn"]
    assert request["identifier"]["value"] == "RXN000123"
    assert request["identifier"]["type"]["coding"][0]["code"] == "ACSN"
    assert said["imagingStudy"][0]["identifier"]["value"] == f"urn:oid:{STUDY_UID}"
    assert said["subject"] == {"reference": "#patient"}


def test_who_signs_stands_first_with_the_register_the_number_is_of() -> None:
    said = resource(authors=(ReportAuthor("C9991234", "Okafor^Ada^^Dr"), ReportAuthor("RA99123", "Ryder^Tom")))
    people = [one for one in said["contained"] if one["resourceType"] == "Practitioner"]
    assert [one["identifier"][0] for one in people] == [
        {"system": "https://fhir.hl7.org.uk/Id/gmc-number", "value": "C9991234"},
        {"system": "https://fhir.hl7.org.uk/Id/hcpc-number", "value": "RA99123"},
    ]
    assert said["performer"] == [{"reference": "#trust"}, {"reference": "#author-1"}]
    assert said["resultsInterpreter"] == [{"reference": "#author-1"}, {"reference": "#author-2"}]


def test_a_conclusion_is_given_apart_where_the_report_names_one() -> None:
    sections = (ReportSection("Findings", "A."), ReportSection("Conclusion", "B.\fC."))
    assert resource(sections=sections)["conclusion"] == "B.\nC."
    assert "conclusion" not in resource()


def test_a_form_feed_is_kept_in_the_attachment_and_said_of_the_narrative() -> None:
    made = write_report(outgoing_report(text="a\fb"), "T", "RXN", with_id=True)
    assert text_of(made.body) == "a\fb"
    assert [(loss.kind, loss.changes_meaning) for loss in made.losses] == [("layout", False)]


def test_versions_of_a_study_share_a_resource_and_have_identifiers_of_their_own() -> None:
    one = write_report(outgoing_report(), "T", "RXN", with_id=True)
    again = write_report(outgoing_report(), "T", "RXN", with_id=True)
    other = write_report(outgoing_report(version=2, status="C"), "T", "RXN", with_id=True)
    assert one == again
    assert one.resource_id == other.resource_id
    assert one.identifier != other.identifier


@pytest.mark.parametrize("changes", [{"text": "half \ud83d a pair"}, {"patient_name": "MARKED\x00^A"}])
def test_what_fhir_has_no_place_for_is_refused_without_being_quoted(changes: dict[str, object]) -> None:
    with pytest.raises(PeerRefused) as caught:
        written(**changes)
    assert "MARKED" not in str(caught.value)
