"""Marked reports through the channels of documents and FHIR: in by PDF and POST, home as pages and by an endpoint."""

from dataclasses import replace
from typing import Any

import httpx2

from tests.fakes.fhir_samples import NHS, diagnostic_report, form, typed
from tests.fakes.pdf_samples import pdf_of, picture_pdf
from tests.hazards.marked_flows import store_bytes
from tests.hazards.marked_region import BIRTH_DATE, MARK, NHS_NUMBER, Watched
from tests.network.region import ORIGIN, READER, READING, REGISTRATION
from tests.peers.fhir_server import FhirServer
from tests.synthetic.studies import MadeStudy
from tests.unit.documents.test_foreign_documents import pdf_document
from tests.unit.documents.test_structured_report import encoded

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
CHANNELS = ["ris", "archive", "pdf", "fhir"]


def trust_tables(fhir: FhirServer) -> str:
    """What the origin's file says of its reports: home by every channel there is."""
    channels = '[reports]\nchannels = ["ris", "archive_sr", "archive_pdf", "fhir"]\n'
    return f'{channels}[reports.fhir]\nurl = "{fhir.url}"\ntoken_file = "fhir.token"\n'


def comes_by_fhir(watched: Watched, fhir: FhirServer) -> None:
    """A good DiagnosticReport goes home by every channel; broken ones are refused, kept, and telephoned about."""
    region = watched.region
    study, _ = watched.acquired()
    good = resource(study)
    assert post(watched, good).status_code == 201
    region.wait_for_state(study, "CLOSED")
    region.wait(lambda: acknowledged(watched, study) == sorted(CHANNELS), "every channel has it", study)
    assert any(MARK.encode() in body for body in fhir.kept.values())
    alert = [{"coding": [{"system": "99ALERT", "code": f"{MARK}CODE"}]}]
    for broken in (
        {**good, "presentedForm": [], "conclusionCode": alert},
        {**good, "status": MARK},
        {**good, "conclusion": f"{MARK}\x01", "presentedForm": []},
        {**good, "subject": {"reference": f"#{MARK}"}, "conclusionCode": alert, "presentedForm": []},
        {**good, "presentedForm": [form(f"<p>{MARK} <img src='x'></p>", "text/html")]},
        {**good, "presentedForm": [form(picture_pdf(), "application/pdf")]},
        {**good, MARK: MARK},
    ):
        answer = post(watched, broken)
        assert MARK not in answer.text or answer.status_code < 400
    watched.wait_for_item("phone_list")


def comes_by_pdf(watched: Watched) -> None:
    """An Encapsulated PDF that is a report, and such that are none."""
    study, _ = watched.held
    to = replace(watched.region.nodes[READING].target, calling="HOME_WS")
    for number, (pdf, changes) in enumerate(
        (
            (pdf_of(f"{MARK} finding"), {"StudyInstanceUID": study.study_instance_uid}),
            (picture_pdf(), {"DocumentTitle": f"{MARK} TITLE"}),
            (f"{MARK} no PDF".encode(), {"PatientID": f"{MARK}PDFPID"}),
        )
    ):
        named = {"PatientName": f"{MARK}FAMILY", "PatientBirthDate": f"{BIRTH_DATE:%Y%m%d}", **changes}
        uid = f"2.25.77{number}"
        status = store_bytes(to, ENCAPSULATED_PDF, uid, encoded(pdf_document(pdf, SOPInstanceUID=uid, **named)))
        assert (status == 0) == (number == 0), hex(status)


def endpoint_quotes_the_patient(watched: Watched, fhir: FhirServer) -> None:
    """The origin's FHIR endpoint refuses with the patient's data, then is mended."""
    region = watched.region
    study, claim = watched.acquired()
    fhir.answer, fhir.words = 422, f"{MARK}FAMILY {NHS_NUMBER} is not known here"
    filed = {"transaction_uid": claim["transaction_uid"], "status": "F", "text": f"{MARK} by api"}
    region.call("POST", f"/reads/{claim['read']['id']}/report", READER, filed, expect=201)
    watched.wait_for_item("report_rejected", study)
    fhir.answer = None
    region.wait_for_state(study, "CLOSED")


def acknowledged(watched: Watched, study: MadeStudy) -> list[str]:
    entries = [entry for entry in watched.region.ledger(study) if entry["event"] == "report.acknowledged"]
    return sorted(entry["detail"]["channel"] for entry in entries)


def resource(study: MadeStudy) -> dict[str, Any]:
    """A final report of the study by the region's reader."""
    made = diagnostic_report(study.study_instance_uid, REGISTRATION)
    patient, reader, order = made["contained"]
    hospital_number = typed("MR", study.patient.patient_id, ORIGIN)
    patient |= {"identifier": [{"system": NHS, "value": NHS_NUMBER}, hospital_number]}
    patient |= {"birthDate": BIRTH_DATE.isoformat(), "name": [{"family": f"{MARK}FAMILY"}]}
    order |= {"identifier": [typed("ACSN", study.accession_number, ORIGIN)]}
    return {**made, "contained": [patient, reader, order], "presentedForm": [form(f"{MARK} finding by FHIR")]}


def post(watched: Watched, body: dict[str, Any]) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {watched.region.tokens[READING]}", "Content-Type": "application/fhir+json"}
    with httpx2.Client(timeout=20, trust_env=False) as http:
        return http.post(f"{watched.region.url}/fhir/DiagnosticReport", json=body, headers=headers)
