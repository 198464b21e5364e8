"""Who and which examination a DiagnosticReport is of: contained resources or references by identifier (UK Core).

An identifier counts with the system or assigner that gives it; a bare one is passed on unqualified and joins nothing.
"""

import re
from collections.abc import Iterator
from typing import TypeVar

from dicom_nodes.foundation.nhs_number import is_nhs_number
from router.model.report import ReportAuthor
from router.model.study import PatientKey
from router.rules.report_matching import ReportIdentity
from router.web.fhir.outcome import refuse
from router.web.fhir.resources import (
    DiagnosticReport,
    HumanName,
    Identifier,
    ImagingStudy,
    Patient,
    Practitioner,
    Reference,
    ServiceRequest,
)

NHS_NUMBER = "https://fhir.nhs.uk/Id/nhs-number"
ODS_CODE = "https://fhir.nhs.uk/Id/ods-organization-code"
GMC_NUMBER = "https://fhir.hl7.org.uk/Id/gmc-number"
REGISTERS = {
    GMC_NUMBER: "GMC",
    "https://fhir.hl7.org.uk/Id/hcpc-number": "HCPC",
    "https://fhir.hl7.org.uk/Id/nmc-number": "NMC",
}
FENCING_TOKEN = "urn:readacross:transaction-uid"
DICOM_UID = "urn:dicom:uid"
_V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
_UID = re.compile(r"(?:urn:oid:)?([0-9]+(?:\.[0-9]+)+)")
ResourceT = TypeVar("ResourceT", Patient, Practitioner, ServiceRequest, ImagingStudy)


def identity_of(report: DiagnosticReport) -> ReportIdentity:
    """What the report says it is of.

    Raises:
        ResourceRefused: two different studies, accessions or patients' numbers, or a wrong NHS number.
    """
    uid = _one({_uid(one, place) for one, place in _studies(report)}, "imagingStudy", "two studies; a report is of one")
    orders = {_accession(one) for one in _orders(report) if one.value}
    number, issuer = _one(orders, "basedOn", "two accession numbers; a report is of one") or (None, None)
    return ReportIdentity(uid, number, issuer, _patient(report))


def fencing_token(report: DiagnosticReport) -> str | None:
    """The token of the read, where the reading system has it."""
    found = {one.value for one in report.identifier if one.system == FENCING_TOKEN and one.value}
    token = _one(found, "identifier", "two fencing tokens")
    if (token is not None and _UID.fullmatch(token) is None) or len(token or "") > 64:
        raise refuse("identifier", "the fencing token is no UID")
    return token


def authors_of(report: DiagnosticReport) -> tuple[ReportAuthor, ...]:
    """Interpreters are authors, other performers assistants; without interpreters the performers are the authors."""
    interpreters = list(_people(report, report.results_interpreter, "resultsInterpreter"))
    performers = list(_people(report, report.performer, "performer"))
    named = interpreters or performers
    helpers = [ReportAuthor(one.registration, one.name, "assistant") for one in performers] if interpreters else []
    distinct: dict[tuple[str | None, str | None], ReportAuthor] = {}
    for one in (*named, *helpers):
        distinct.setdefault((one.registration, None if one.registration else one.name), one)
    return tuple(distinct.values())


ValueT = TypeVar("ValueT")


def _one(found: set[ValueT], place: str, words: str) -> ValueT | None:
    if len(found) > 1:
        raise refuse(place, words)
    return next(iter(found), None)


def _resolved(report: DiagnosticReport, reference: Reference, place: str, kind: type[ResourceT]) -> ResourceT | None:
    """The contained resource that is meant, if it is of this kind.

    Raises:
        ResourceRefused: it is not contained, and no identifier is given instead.
    """
    said = reference.reference or ""
    for resource in report.contained:
        if said.startswith("#") and resource.id == said[1:]:
            return resource if isinstance(resource, kind) else None
    if reference.identifier is None and said:
        raise refuse(place, "is not contained, and no identifier is given instead", "not-found")
    return None


def _patient(report: DiagnosticReport) -> PatientKey:
    if report.subject is None:
        return PatientKey(None, None, None, None)
    patient = _resolved(report, report.subject, "subject", Patient)
    identifiers = list(patient.identifier) if patient is not None else []
    if report.subject.identifier is not None:
        identifiers.append(report.subject.identifier)
    current = [one for one in identifiers if one.value and one.use != "old"]
    nhs = {_nhs_number(one.value or "") for one in current if one.system == NHS_NUMBER}
    hospital = {(_issuer(one), one.value) for one in current if one.system != NHS_NUMBER and _is_hospital_number(one)}
    qualified = {one for one in hospital if one[0]}
    issuer, number = (
        next(iter(sorted(qualified or hospital, key=str)), (None, None)) if len(hospital) < 2 else _several(qualified)
    )
    birth_date = None if patient is None else patient.birth_date
    return PatientKey(issuer, number, _one(nhs, "subject", "two NHS numbers"), birth_date)


def _several(qualified: set[tuple[str | None, str | None]]) -> tuple[str | None, str | None]:
    """Of several hospital numbers the only one that says who gave it.

    Raises:
        ResourceRefused: there is none or more than one such.
    """
    if len(qualified) != 1:
        raise refuse("subject", "several hospital numbers; give the one of the trust that made the images")
    return next(iter(qualified))


def _nhs_number(value: str) -> str:
    number = value.replace(" ", "").replace("-", "")
    if not is_nhs_number(number):
        raise refuse("subject", "the NHS number does not pass its check digit (modulus 11)")
    return number


def _types(identifier: Identifier) -> set[str]:
    if identifier.type is None:
        return set()
    return {one.code or "" for one in identifier.type.coding if one.system in {_V2_0203, None}}


def _is_hospital_number(identifier: Identifier) -> bool:
    """Medical record numbers, and numbers of no said type that an organisation gave."""
    types = _types(identifier)
    return bool(types & {"MR", "PI"}) or (not types and _issuer(identifier) is not None)


def _issuer(identifier: Identifier) -> str | None:
    """The ODS code of the organisation that gave the number."""
    assigner = identifier.assigner.identifier if identifier.assigner is not None else None
    return assigner.value if assigner is not None and assigner.system == ODS_CODE else None


def _orders(report: DiagnosticReport) -> Iterator[Identifier]:
    """Identifiers of type ACSN: of the report, of what it is based on, and of its imaging studies."""
    yield from (one for one in report.identifier if "ACSN" in _types(one))
    for number, reference in enumerate(report.based_on):
        order = _resolved(report, reference, f"basedOn[{number}]", ServiceRequest)
        found = [
            *(order.identifier if order is not None else []),
            *([reference.identifier] if reference.identifier else []),
        ]
        yield from (one for one in found if "ACSN" in _types(one))
    for number, reference in enumerate(report.imaging_study):
        study = _resolved(report, reference, f"imagingStudy[{number}]", ImagingStudy)
        yield from (one for one in (study.identifier if study is not None else []) if "ACSN" in _types(one))


def _accession(identifier: Identifier) -> tuple[str, str | None]:
    return identifier.value or "", _issuer(identifier)


def _studies(report: DiagnosticReport) -> Iterator[tuple[Identifier, str]]:
    for number, reference in enumerate(report.imaging_study):
        place = f"imagingStudy[{number}]"
        study = _resolved(report, reference, place, ImagingStudy)
        found = list(study.identifier) if study is not None else []
        if reference.identifier is not None:
            found.append(reference.identifier)
        yield from ((one, place) for one in found if one.system == DICOM_UID and one.value)


def _uid(identifier: Identifier, place: str) -> str:
    match = _UID.fullmatch(identifier.value or "")
    if match is None or len(match[1]) > 64:
        raise refuse(place, "the Study Instance UID is no DICOM UID; expected urn:oid:…")
    return match[1]


def _people(report: DiagnosticReport, references: list[Reference], place: str) -> Iterator[ReportAuthor]:
    for number, reference in enumerate(references):
        person = _resolved(report, reference, f"{place}[{number}]", Practitioner)
        identifiers = list(person.identifier) if person is not None else []
        if reference.identifier is not None:
            identifiers.append(reference.identifier)
        name = _name(person.name[0]) if person is not None and person.name else reference.display
        registrations = [_registration(one) for one in identifiers if one.system in REGISTERS and one.value]
        if registrations or (name and person is not None):
            yield ReportAuthor(registrations[0] if registrations else None, name)


def _registration(identifier: Identifier) -> str:
    number = (identifier.value or "").strip()
    return f"C{number}" if identifier.system == GMC_NUMBER and len(number) == 7 and number.isdigit() else number


def _name(name: HumanName) -> str | None:
    """As DICOM PN: family^given^middle^prefix^suffix."""
    given = [*name.given, ""]
    parts = [name.family or "", given[0], " ".join(name.given[1:]), " ".join(name.prefix), " ".join(name.suffix)]
    return "^".join(parts).rstrip("^") or name.text or None
