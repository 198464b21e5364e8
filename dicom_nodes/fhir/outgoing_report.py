"""Write a report as a FHIR R4 DiagnosticReport (UK Core identifiers), and read it back from the bytes that leave.

The whole text is an attachment, byte for byte; the narrative shows it to people, and the conclusion is given apart only
where the report itself names one. Who it is about is contained in it, under the origin's own numbers.
"""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from uuid import UUID, uuid5

from pydantic import ValidationError

from dicom_nodes.fhir import outgoing_resources as fhir
from dicom_nodes.foundation.spoken_name import spoken
from dicom_nodes.model.errors import PeerRefused
from dicom_nodes.model.loss import Loss, LossKind
from dicom_nodes.model.report import OutgoingReport, ReportAuthor
from dicom_nodes.model.report_text import control_character
from dicom_nodes.rules.report_losses import losses_of_text, why_not_sent

NHS_NUMBER = "https://fhir.nhs.uk/Id/nhs-number"
ODS_CODE = "https://fhir.nhs.uk/Id/ods-organization-code"
GMC_NUMBER = "https://fhir.hl7.org.uk/Id/gmc-number"
_HCPC_NUMBER = "https://fhir.hl7.org.uk/Id/hcpc-number"
_V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
_NAMESPACE = UUID("5b7a1f1e-0c55-4c39-8f5e-9f0f6d3c8a41")
_STATUS: dict[str, fhir.ReportStatus] = {"P": "preliminary", "F": "final", "C": "corrected", "X": "cancelled"}
_CONCLUSIONS = {"conclusion", "impression", "opinion", "summary"}


@dataclass(frozen=True, slots=True)
class WrittenResource:
    """The resource's bytes, its id and identifier, and what it could not carry."""

    body: bytes
    resource_id: str
    identifier: str
    losses: tuple[Loss, ...]


def resource_id(report: OutgoingReport) -> str:
    """The same for every version of the reports of a study: they follow one another in one resource."""
    return str(uuid5(_NAMESPACE, report.study_instance_uid))


def version_identifier(report: OutgoingReport) -> str:
    """Names this version among all reports of all trusts; its system is `urn:ietf:rfc:3986`."""
    return f"urn:uuid:{uuid5(_NAMESPACE, f'{report.report_id}/{report.version}{report.moved_to}')}"


def write_report(report: OutgoingReport, organisation: str, ods_code: str, *, with_id: bool) -> WrittenResource:
    """Write the resource; `with_id` gives it the id under which it is put.

    Raises:
        PeerRefused: it would not arrive as it is; the loss report.
    """
    if control := control_character(report.text):
        raise PeerRefused(f"fhir: the text holds the control character {control}; nothing was sent")
    try:
        body = _resource(report, organisation, ods_code, with_id).json_bytes()
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise PeerRefused(f"fhir: {place} does not fit into FHIR; nothing was sent") from None
    except UnicodeEncodeError:
        raise PeerRefused("fhir: the report holds half a surrogate pair, which is no character") from None
    losses = tuple(_losses(body, report))
    if (why := why_not_sent("fhir", losses)) is not None:
        raise PeerRefused(why)
    return WrittenResource(body, resource_id(report), version_identifier(report), losses)


def text_of(body: bytes) -> str:
    """The text of a resource, decoded from its bytes as a receiver decodes it."""
    form = json.loads(body)["presentedForm"][0]
    return base64.b64decode(form["data"], validate=True).decode("utf-8")


def _losses(body: bytes, report: OutgoingReport) -> Iterator[Loss]:
    yield from losses_of_text(report.text, text_of(body))
    read = json.loads(body)
    patient = next(resource for resource in read["contained"] if resource["resourceType"] == "Patient")
    numbers = {identifier["value"] for identifier in patient.get("identifier", [])}
    accessions = {request["identifier"]["value"] for request in read.get("basedOn", [])}
    kept = (
        read["imagingStudy"][0]["identifier"]["value"] == f"urn:oid:{report.study_instance_uid}"
        and numbers == {number for number in (report.nhs_number, report.patient_id) if number}
        and accessions == {number for number in (report.accession_number,) if number}
    )
    if not kept:
        yield Loss(LossKind.STRUCTURE, "a number of the patient or the study would not read back", True)
    if "\f" in report.text:
        yield Loss(LossKind.LAYOUT, "the narrative has line ends for form feeds; the attachment has them", False)


def _resource(report: OutgoingReport, organisation: str, ods_code: str, with_id: bool) -> fhir.DiagnosticReport:
    authors = [ReportAuthor(report.author_registration, report.author_name), *report.assistants]
    named = [author for author in authors if author.name or author.registration]
    interpreters = tuple(fhir.Reference(reference=f"#author-{number}") for number in range(1, len(named) + 1))
    trust = fhir.Identifier(system=ODS_CODE, value=ods_code)
    return fhir.DiagnosticReport(
        id=resource_id(report) if with_id else None,
        text=fhir.Narrative(div=_narrative(report.text)),
        contained=(
            _patient(report),
            fhir.Organization(id="trust", identifier=(trust,), name=organisation),
            *(_practitioner(author, number) for number, author in enumerate(named, 1)),
        ),
        identifier=(fhir.Identifier(system="urn:ietf:rfc:3986", value=version_identifier(report)),),
        basedOn=_accession(report),
        status="appended" if report.addendum else _STATUS[report.status],
        category=(_coded("http://terminology.hl7.org/CodeSystem/v2-0074", "RAD", "Radiology"),),
        code=_code(report),
        subject=fhir.Reference(reference="#patient"),
        effectiveDateTime=report.study_time.isoformat() if report.study_time else None,
        issued=report.verified_at.isoformat(),
        performer=(fhir.Reference(reference="#trust"), *interpreters[:1]),
        resultsInterpreter=interpreters or None,
        imagingStudy=(_study(report),),
        conclusion=_conclusion(report),
        presentedForm=(_attachment(report.text),),
    )


def _attachment(text: str) -> fhir.Attachment:
    data = text.encode("utf-8")
    return fhir.Attachment(
        contentType="text/plain; charset=utf-8",
        language="en-GB",
        data=base64.b64encode(data).decode("ascii"),
        size=len(data),
        title="Radiology report",
    )


def _narrative(text: str) -> str:
    shown = escape(text.replace("\f", "\n"), quote=False)
    return f'<div xmlns="http://www.w3.org/1999/xhtml"><pre>{shown}</pre></div>'


def _conclusion(report: OutgoingReport) -> str | None:
    found = [section.text for section in report.sections if section.title.strip().casefold() in _CONCLUSIONS]
    return "\n".join(found).replace("\f", "\n").strip() or None


def _patient(report: OutgoingReport) -> fhir.Patient:
    numbers = []
    if report.nhs_number:
        numbers.append(fhir.Identifier(system=NHS_NUMBER, value=report.nhs_number))
    if report.patient_id:
        assigner = _assigner(report.patient_id_issuer)
        numbers.append(fhir.Identifier(type=_coded(_V2_0203, "MR"), value=report.patient_id, assigner=assigner))
    return fhir.Patient(
        id="patient",
        identifier=tuple(numbers) or None,
        name=_names(report.patient_name),
        gender={"M": "male", "F": "female", "O": "other"}.get(report.patient_sex or "", "unknown"),  # type: ignore[arg-type]
        birthDate=report.birth_date.isoformat() if report.birth_date else None,
    )


def _practitioner(author: ReportAuthor, number: int) -> fhir.Practitioner:
    registration = author.registration
    identifiers = (fhir.Identifier(system=_register(registration), value=registration),) if registration else None
    return fhir.Practitioner(id=f"author-{number}", identifier=identifiers, name=_names(author.name))


def _register(registration: str) -> str | None:
    if re.fullmatch(r"C\d{7}", registration):
        return GMC_NUMBER
    return _HCPC_NUMBER if re.fullmatch(r"RA\d{5,6}", registration) else None


def _names(name: str | None) -> tuple[fhir.HumanName, ...] | None:
    """DICOM PN (family^given^middle^prefix^suffix) as HumanName."""
    parts = [part.strip() for part in (name or "").split("=")[0].split("^")]
    family, given, middle, prefix, suffix = [*parts, "", "", "", "", ""][:5]
    whole = spoken(name)
    if not whole:
        return None
    return (
        fhir.HumanName(
            text=whole,
            family=family or None,
            given=tuple(part for part in (given, middle) if part) or None,
            prefix=(prefix,) if prefix else None,
            suffix=(suffix,) if suffix else None,
        ),
    )


def _accession(report: OutgoingReport) -> tuple[fhir.Reference, ...] | None:
    if not report.accession_number:
        return None
    assigner = _assigner(report.accession_issuer)
    number = fhir.Identifier(type=_coded(_V2_0203, "ACSN"), value=report.accession_number, assigner=assigner)
    return (fhir.Reference(type="ServiceRequest", identifier=number),)


def _assigner(issuer: str | None) -> fhir.Reference | None:
    if not issuer:
        return None
    if re.fullmatch(r"[A-Z0-9]{3,6}", issuer):
        return fhir.Reference(identifier=fhir.Identifier(system=ODS_CODE, value=issuer))
    return fhir.Reference(display=issuer)


def _study(report: OutgoingReport) -> fhir.Reference:
    uid = fhir.Identifier(system="urn:dicom:uid", value=f"urn:oid:{report.study_instance_uid}")
    return fhir.Reference(type="ImagingStudy", identifier=uid)


def _code(report: OutgoingReport) -> fhir.CodeableConcept:
    loinc = fhir.Coding(system="http://loinc.org", code="18748-4", display="Diagnostic imaging study")
    if report.exam_code is None:
        return fhir.CodeableConcept(coding=(loinc,), text=report.study_description or None)
    value, _, meaning = report.exam_code
    words = meaning or report.study_description or value
    return fhir.CodeableConcept(coding=(loinc, fhir.Coding(code=value, display=words)), text=words)


def _coded(system: str, code: str, display: str | None = None) -> fhir.CodeableConcept:
    return fhir.CodeableConcept(coding=(fhir.Coding(system=system, code=code, display=display),))
