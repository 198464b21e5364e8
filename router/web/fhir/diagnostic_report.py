"""A DiagnosticReport as one of the router's reports (ADR 105)."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from dicom_nodes.foundation.report_headings import is_addendum, split_by_headings
from router.model.report import AlertCode, Report, ReportAuthor, ReportSection
from router.web.fhir.identities import authors_of, fencing_token, identity_of
from router.web.fhir.outcome import refuse
from router.web.fhir.report_text import text_of
from router.web.fhir.resources import DiagnosticReport

_NAMESPACE = UUID("2f4f7a3e-7d0c-4f6e-9a43-0d2a6b1f7c55")
_STATUSES = {
    "partial": "P", "preliminary": "P", "final": "F", "amended": "C", "corrected": "C", "appended": "C",
    "cancelled": "X", "entered-in-error": "X",
}  # fmt: skip
_ADDENDUM_CODES = {"55107-7"}
_CONTROLS = {chr(code) for code in (*range(32), *range(0x7F, 0xA0))} - {"\t", "\n", "\f", "\r"}
LONGEST_TEXT = 1_000_000


@dataclass(frozen=True, slots=True)
class Sender:
    """Who posts: a node (its ODS code), or a reader's own system (their registration and name)."""

    node: str | None
    subject: str
    reader: ReportAuthor | None


def report_id_of(sender: Sender, original: bytes) -> str:
    """The same bytes from the same sender are the same report."""
    return str(uuid5(_NAMESPACE, f"{sender.subject}\n{hashlib.sha256(original).hexdigest()}"))


def report_of(resource: DiagnosticReport, sender: Sender, original: bytes, now: datetime) -> Report:
    """The report as the resource tells it.

    Raises:
        ResourceRefused: says what is wrong and where.
    """
    status = _STATUSES.get(resource.status)
    if status is None:
        raise refuse(
            "status", "there is no report yet; expected preliminary, final, amended, corrected, appended or cancelled"
        )
    text = text_of(resource)
    _check_text(text, status)
    identity = identity_of(resource)
    authors = authors_of(resource)
    signer = _signer(authors, sender)
    sections = tuple(ReportSection(title, body) for title, body in split_by_headings(text))
    return Report(
        id=report_id_of(sender, original),
        node=sender.node,
        channel="fhir",
        study_instance_uid=identity.study_instance_uid,
        accession_number=identity.accession_number,
        accession_issuer=identity.accession_issuer,
        patient=identity.patient,
        status=status,
        text=text,
        registration=signer.registration,
        author_name=signer.name,
        authored_at=resource.issued or now,
        received_at=now,
        original_reference=resource.id or next((one.value for one in resource.identifier if one.value), None),
        original_digest=hashlib.sha256(original).hexdigest(),
        transaction_uid=fencing_token(resource),
        sections=sections,
        authors=authors or ((signer,) if signer.registration else ()),
        addendum=_is_addendum(resource, sections),
        alert_codes=tuple(_alert_codes(resource)),
    )


def _check_text(text: str, status: str) -> None:
    if not text.strip() and status != "X":
        raise refuse(
            "presentedForm",
            "no report text; expected text/plain, text/html or application/pdf, or a conclusion",
            "required",
        )
    if len(text) > LONGEST_TEXT:
        raise refuse("presentedForm", f"the text is longer than {LONGEST_TEXT} characters", "too-long")
    found = next((letter for letter in text if letter in _CONTROLS), None)
    if found is not None:
        raise refuse("presentedForm", f"the text holds the control character U+{ord(found):04X}")


def _signer(authors: tuple[ReportAuthor, ...], sender: Sender) -> ReportAuthor:
    """The one author; a reader's own system signs for that reader and nobody else."""
    writers = [one for one in authors if one.role == "author"]
    if sender.reader is not None:
        named = {one.registration for one in writers if one.registration}
        if named - {sender.reader.registration}:
            raise refuse("resultsInterpreter", "names another reader than the one whose token this is", "forbidden")
        return sender.reader
    return writers[0] if len(writers) == 1 else ReportAuthor(None)


def _is_addendum(resource: DiagnosticReport, sections: tuple[ReportSection, ...]) -> bool:
    spoken = [one for one in sections if one.text.strip()]
    coded = any(one.code in _ADDENDUM_CODES for one in resource.code.coding)
    return coded or (bool(spoken) and all(is_addendum(one.title) for one in spoken))


def _alert_codes(resource: DiagnosticReport) -> list[AlertCode]:
    found: dict[tuple[str, str], AlertCode] = {}
    for concept in resource.conclusion_code:
        for coding in concept.coding:
            if coding.code:
                code = AlertCode(coding.code, coding.system or "", coding.display or concept.text)
                found.setdefault((code.scheme, code.value), code)
    return list(found.values())
