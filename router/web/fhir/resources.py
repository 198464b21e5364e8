"""The few FHIR R4 resources that a report comes in, as far as they are read (hl7.org/fhir/R4/diagnosticreport.html).

Elements that are not named here are let pass, as FHIR asks of a reader; modifier extensions, which may turn a meaning
round, are refused (FHIR R4 2.4.1).
"""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, field_validator

from dicom_nodes.foundation.expectation import Expectation


class Element(BaseModel):
    """Base of what is read."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)
    modifier_extension: list[Any] = Field(default=[], alias="modifierExtension")

    @field_validator("modifier_extension")
    @classmethod
    def _none_of_them(cls, value: list[Any]) -> list[Any]:
        if value:
            raise Expectation("a modifier extension is not understood here")
        return value


class Coding(Element):
    system: str | None = None
    code: str | None = None
    display: str | None = None


class CodeableConcept(Element):
    coding: list[Coding] = []
    text: str | None = None


class Identifier(Element):
    use: str | None = None
    type: CodeableConcept | None = None
    system: str | None = None
    value: str | None = None
    assigner: "Reference | None" = None


class Reference(Element):
    reference: str | None = None
    identifier: Identifier | None = None
    display: str | None = None


class HumanName(Element):
    use: str | None = None
    text: str | None = None
    family: str | None = None
    given: list[str] = []
    prefix: list[str] = []
    suffix: list[str] = []


class Attachment(Element):
    content_type: str | None = Field(default=None, alias="contentType")
    data: str | None = None
    url: str | None = None
    title: str | None = None
    size: int | None = None
    hash: str | None = None


class Patient(Element):
    resource_type: Literal["Patient"] = Field(alias="resourceType")
    id: str | None = None
    identifier: list[Identifier] = []
    birth_date: date | None = Field(default=None, alias="birthDate")

    @field_validator("birth_date", mode="before")
    @classmethod
    def _whole_days_only(cls, value: object) -> object:
        """A year, or a year and month, is no birth date that could be compared."""
        return None if isinstance(value, str) and len(value) in {4, 7} else value


class Practitioner(Element):
    resource_type: Literal["Practitioner"] = Field(alias="resourceType")
    id: str | None = None
    identifier: list[Identifier] = []
    name: list[HumanName] = []


class ServiceRequest(Element):
    resource_type: Literal["ServiceRequest"] = Field(alias="resourceType")
    id: str | None = None
    identifier: list[Identifier] = []


class ImagingStudy(Element):
    resource_type: Literal["ImagingStudy"] = Field(alias="resourceType")
    id: str | None = None
    identifier: list[Identifier] = []


class OtherResource(Element):
    """A contained resource of a kind that is not read."""

    resource_type: str = Field(default="", alias="resourceType")
    id: str | None = None


def _kind(value: object) -> str:
    known = {"Patient", "Practitioner", "ServiceRequest", "ImagingStudy"}
    kind = value.get("resourceType") if isinstance(value, dict) else getattr(value, "resource_type", None)
    return kind if kind in known else "other"


Contained = Annotated[
    Annotated[Patient, Tag("Patient")]
    | Annotated[Practitioner, Tag("Practitioner")]
    | Annotated[ServiceRequest, Tag("ServiceRequest")]
    | Annotated[ImagingStudy, Tag("ImagingStudy")]
    | Annotated[OtherResource, Tag("other")],
    Discriminator(_kind),
]

Status = Literal[
    "registered", "partial", "preliminary", "final", "amended", "corrected", "appended", "cancelled",
    "entered-in-error", "unknown",
]  # fmt: skip


def _instant(value: object) -> object:
    """An instant is text: numbers would be taken for seconds since 1970."""
    if value is not None and not isinstance(value, str):
        raise Expectation("an instant is text")
    return value


class DiagnosticReport(Element):
    resource_type: Literal["DiagnosticReport"] = Field(alias="resourceType")
    id: str | None = None
    identifier: list[Identifier] = []
    based_on: list[Reference] = Field(default=[], alias="basedOn")
    status: Status
    code: CodeableConcept
    subject: Reference | None = None
    issued: Annotated[AwareDatetime, BeforeValidator(_instant)] | None = None
    performer: list[Reference] = []
    results_interpreter: list[Reference] = Field(default=[], alias="resultsInterpreter")
    result: list[Reference] = []
    imaging_study: list[Reference] = Field(default=[], alias="imagingStudy")
    conclusion: str | None = None
    conclusion_code: list[CodeableConcept] = Field(default=[], alias="conclusionCode")
    presented_form: list[Attachment] = Field(default=[], alias="presentedForm")
    contained: list[Contained] = []


Identifier.model_rebuild()
