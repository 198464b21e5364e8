"""The parts of FHIR R4 that a report on its way out is made of, as they are written in JSON (hl7.org/fhir/R4).

Absent elements are left out, never null, as the standard wants it.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f]+$")]
"""FHIR's string: not empty, no control codes but TAB, CR and LF."""
ReportStatus = Literal["preliminary", "final", "corrected", "appended", "cancelled"]


class Element(BaseModel):
    """Base: frozen, unknown elements refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def json_bytes(self) -> bytes:
        """As it is sent."""
        return self.model_dump_json(exclude_none=True, by_alias=True).encode()


class Coding(Element):
    system: Text | None = None
    code: Text
    display: Text | None = None


class CodeableConcept(Element):
    coding: tuple[Coding, ...] | None = None
    text: Text | None = None


class Identifier(Element):
    type: CodeableConcept | None = None
    system: Text | None = None
    value: Text
    assigner: "Reference | None" = None


class Reference(Element):
    reference: Text | None = None
    type: Text | None = None
    identifier: Identifier | None = None
    display: Text | None = None


class HumanName(Element):
    text: Text
    family: Text | None = None
    given: tuple[Text, ...] | None = None
    prefix: tuple[Text, ...] | None = None
    suffix: tuple[Text, ...] | None = None


class Patient(Element):
    resourceType: Literal["Patient"] = "Patient"  # noqa: N815 - the standard's name
    id: Text
    identifier: tuple[Identifier, ...] | None = None
    name: tuple[HumanName, ...] | None = None
    gender: Literal["male", "female", "other", "unknown"] | None = None
    birthDate: Text | None = None  # noqa: N815


class Practitioner(Element):
    resourceType: Literal["Practitioner"] = "Practitioner"  # noqa: N815
    id: Text
    identifier: tuple[Identifier, ...] | None = None
    name: tuple[HumanName, ...] | None = None


class Organization(Element):
    resourceType: Literal["Organization"] = "Organization"  # noqa: N815
    id: Text
    identifier: tuple[Identifier, ...]
    name: Text


class Attachment(Element):
    contentType: Text  # noqa: N815
    language: Text
    data: Text
    size: int
    title: Text


class Narrative(Element):
    status: Literal["generated"] = "generated"
    div: str


class DiagnosticReport(Element):
    resourceType: Literal["DiagnosticReport"] = "DiagnosticReport"  # noqa: N815
    id: Text | None = None
    language: Text = "en-GB"
    text: Narrative
    contained: tuple[Patient | Practitioner | Organization, ...]
    identifier: tuple[Identifier, ...]
    basedOn: tuple[Reference, ...] | None = None  # noqa: N815
    status: ReportStatus
    category: tuple[CodeableConcept, ...]
    code: CodeableConcept
    subject: Reference
    effectiveDateTime: Text | None = None  # noqa: N815
    issued: Text
    performer: tuple[Reference, ...]
    resultsInterpreter: tuple[Reference, ...] | None = None  # noqa: N815
    imagingStudy: tuple[Reference, ...]  # noqa: N815
    conclusion: Text | None = None
    presentedForm: tuple[Attachment, ...] = Field(min_length=1)  # noqa: N815
