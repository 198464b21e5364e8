"""How a trust wants its reports sent home: `[reports]` of its file, with one table a form (ADR 107)."""

import re
import ssl
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from dicom_nodes.foundation.settings_file import LocalPath, Settings

Channel = Literal["ris", "archive_sr", "archive_pdf", "fhir"]
_KNOWN_AS: dict[Channel, str] = {"ris": "ris", "archive_sr": "archive", "archive_pdf": "pdf", "fhir": "fhir"}
_LONGEST_ST = 199
"""HL7 v2.5.1 ch. 2.A.74: a string holds no more."""


def _coded(text: str) -> str:
    if not re.fullmatch(r"[^\s|^~\\&][^|^~\\&]*(\^[^|^~\\&]*){0,2}", text):
        raise ValueError(
            f"expected CODE^TEXT^SCHEME such as '18748-4^Diagnostic imaging report^LN', of one to three components "
            f"without | ~ \\ &, got {text!r}"
        )
    return text


class OruHabits(Settings):
    """How the trust's RIS wants an ORU^R01 written; version, character set and address stand in `[ris]`."""

    text: Literal["one_obx", "obx_per_line", "repetitions", "nte_per_line"] = "one_obx"
    r"""One OBX with `\.br\` between lines, an OBX a line, one OBX whose repetitions are lines, or notes (NTE)."""
    value_type: Literal["FT", "TX", "ST"] = "FT"
    text_code: Annotated[str, AfterValidator(_coded)] = "18748-4^Diagnostic imaging report^LN"
    """OBX-3 of the text."""
    study_uid: tuple[Literal["obx", "zds"], ...] = ("obx",)
    """Where the Study Instance UID stands: an OBX of 113014^DCM, a ZDS segment (IHE RAD-4), both or neither."""
    orc: bool = True
    """Whether an ORC is sent; without it the accession number stands in OBR-3."""
    longest_line: int | None = Field(default=None, ge=40)
    """Longer lines are broken at blanks."""
    longest_value: int | None = Field(default=None, ge=1000)
    """How many bytes an OBX-5 may have; a report that needs more is not sent."""
    addendum: Literal["whole", "alone"] = "whole"
    """Whether an addendum is sent behind the report it is added to, or alone to a RIS that keeps both."""
    plain_typography: bool = False
    """Whether curly quotation marks, dashes and the like may be written in plain characters where the RIS's character
    set lacks them."""

    @model_validator(mode="after")
    def _the_type_can_hold_the_text(self) -> "OruHabits":
        if self.text == "one_obx" and self.value_type != "FT":
            raise ValueError(
                f"reports.oru.value_type: {self.value_type} has no line breaks; with text = 'one_obx' expected 'FT'"
            )
        if self.value_type == "ST" and (self.longest_line is None or self.longest_line > _LONGEST_ST):
            raise ValueError(f"reports.oru.longest_line: a string (ST) needs one, of at most {_LONGEST_ST}")
        return self


class FhirEndpoint(Settings):
    """Where DiagnosticReport goes (R4, JSON), and how it is known there that the caller is ours."""

    url: str = Field(pattern=r"^https?://[^/?#]+[^?#]*$")
    """The server's base, such as `https://fhir.example.nhs.uk/R4`."""
    method: Literal["put", "post"] = "put"
    """`put`: one resource a study, whose versions follow one another. `post`: each version a resource, made once."""
    token_file: LocalPath | None = None
    trusted: LocalPath | None = None
    """PEM file of the authorities that may have signed its certificate; the system's where none is given."""
    certificate: LocalPath | None = None
    key: LocalPath | None = None
    timeout_s: float = Field(default=30.0, gt=0)

    @model_validator(mode="after")
    def _a_token_travels_encrypted(self) -> "FhirEndpoint":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("reports.fhir.key: certificate and key belong together; only one is given")
        host = re.sub(r"^https?://([^/]*@)?(\[[^]]*\]|[^:/]*).*$", r"\2", self.url)
        if self.url.startswith("http://") and host not in {"127.0.0.1", "localhost", "[::1]"}:
            raise ValueError("reports.fhir.url: a report leaves this machine by https only")
        return self


def tls_problems(endpoint: FhirEndpoint) -> list[tuple[str, str]]:
    """(key, reason) for each of its PEM files that is there and cannot be used."""
    context, problems = ssl.create_default_context(), []
    try:
        if endpoint.trusted is not None:
            context.load_verify_locations(endpoint.trusted)
    except (ssl.SSLError, OSError):
        problems.append(("reports.fhir.trusted", f"is no PEM file of certificates: {endpoint.trusted}"))
    try:
        if endpoint.certificate is not None:
            context.load_cert_chain(endpoint.certificate, endpoint.key, password="")
    except (ssl.SSLError, OSError, ValueError):
        words = f"{endpoint.certificate} and {endpoint.key} are no certificate with its key (PEM, without a password)"
        problems.append(("reports.fhir.certificate", words))
    return problems


class Reports(Settings):
    """Every channel listed must acknowledge a report; the one that `closes` ends the read."""

    channels: tuple[Channel, ...] = Field(default=("ris", "archive_sr"), min_length=1)
    closes: Literal["ris", "fhir"] = "ris"
    """Whose answer the trust holds for its own; an archive's receipt is none."""
    oru: OruHabits = OruHabits()
    fhir: FhirEndpoint | None = None

    @model_validator(mode="after")
    def _channels_are_set(self) -> "Reports":
        if len(set(self.channels)) != len(self.channels):
            raise ValueError("reports.channels: the same channel stands there twice")
        if self.closes not in self.channels:
            raise ValueError(f"reports.closes: is {self.closes!r}, which is none of reports.channels")
        if "fhir" in self.channels and self.fhir is None:
            raise ValueError("reports.fhir: is missing, but reports.channels lists 'fhir'")
        return self

    @property
    def return_channels(self) -> tuple[str, ...]:
        """The channels by the names that the router knows them by."""
        return tuple(_KNOWN_AS[channel] for channel in self.channels)

    @property
    def closed_as(self) -> str:
        """`closes` by the name that the router knows it by."""
        return _KNOWN_AS[self.closes]

    @property
    def files(self) -> dict[str, LocalPath | None]:
        """Key → file that must be there."""
        fhir = self.fhir
        if fhir is None:
            return {}
        return {f"reports.fhir.{key}": getattr(fhir, key) for key in ("token_file", "trusted", "certificate", "key")}
