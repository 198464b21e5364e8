"""An invented FHIR R4 DiagnosticReport, as a reader's system would post it."""

from base64 import b64encode
from typing import Any

NHS = "https://fhir.nhs.uk/Id/nhs-number"
ODS = "https://fhir.nhs.uk/Id/ods-organization-code"
GMC = "https://fhir.hl7.org.uk/Id/gmc-number"
V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"


def typed(code: str, value: str, ods_code: str | None = "RXN") -> dict[str, Any]:
    """An identifier of this v2-0203 type, given by this organisation."""
    identifier: dict[str, Any] = {"type": {"coding": [{"system": V2_0203, "code": code}]}, "value": value}
    return identifier | ({"assigner": {"identifier": {"system": ODS, "value": ods_code}}} if ods_code else {})


def form(data: bytes | str, content_type: str = "text/plain") -> dict[str, str]:
    """A presented form of these bytes."""
    raw = data.encode() if isinstance(data, str) else data
    return {"contentType": content_type, "data": b64encode(raw).decode()}


def diagnostic_report(uid: str = "1.2.3.4", registration: str = "C1000001", **changes: Any) -> dict[str, Any]:
    """A final report of the study `uid` of RXN's test patient; an element of None is left out."""
    resource: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "id": "rep-1",
        "contained": [
            {
                "resourceType": "Patient",
                "id": "p",
                "identifier": [{"system": NHS, "value": "999 000 0018"}, typed("MR", "H100200")],
                "birthDate": "1950-02-03",
            },
            {
                "resourceType": "Practitioner",
                "id": "r",
                "identifier": [{"system": GMC, "value": registration}],
                "name": [{"family": "Okafor", "given": ["Ada", "B"], "prefix": ["Dr"]}],
            },
            {"resourceType": "ServiceRequest", "id": "o", "identifier": [typed("ACSN", f"A-{uid}")]},
        ],
        "basedOn": [{"reference": "#o"}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "18748-4"}]},
        "subject": {"reference": "#p"},
        "issued": None,
        "resultsInterpreter": [{"reference": "#r"}],
        "imagingStudy": [{"identifier": {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}}],
        "presentedForm": [form("FINDINGS\nSiân: < 5 mm | ^ ~ \\ & Łódź €\nIMPRESSION\nNormal.")],
    }
    return {key: value for key, value in {**resource, **changes}.items() if value is not None}
