"""The segments that every message to a RIS begins with: who sends it, and whom and what it is about."""

from datetime import date, datetime
from typing import Protocol

from dicom_nodes.config import Ris
from dicom_nodes.hl7.escapes import escape
from dicom_nodes.hl7.timestamps import write_moment


class Subject(Protocol):
    """Whom and what a message is about, under the identifiers of the origin's own images."""

    @property
    def accession_number(self) -> str | None: ...
    @property
    def accession_issuer(self) -> str | None: ...
    @property
    def patient_id(self) -> str | None: ...
    @property
    def patient_id_issuer(self) -> str | None: ...
    @property
    def nhs_number(self) -> str | None: ...
    @property
    def birth_date(self) -> date | None: ...
    @property
    def patient_name(self) -> str | None: ...
    @property
    def patient_sex(self) -> str | None: ...


def line(name: str, fields: dict[int, str]) -> str:
    """A segment from field numbers (not for MSH, whose first field is the separator)."""
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])


def msh(control_id: str, at: datetime, ris: Ris, ods_code: str) -> str:
    """MSH of an ORU^R01 from the trust to its own RIS."""
    fields = {
        2: "^~\\&",
        3: escape(ris.sending_application),
        4: ods_code,
        5: escape(ris.receiving_application),
        6: ods_code,
        7: write_moment(at),
        9: "ORU^R01" if ris.version == "2.3" else "ORU^R01^ORU_R01",
        10: control_id,
        11: ris.processing_id,
        12: ris.version,
        17: "GBR",
        18: ris.charset,
    }
    return "MSH|" + "|".join(fields.get(number, "") for number in range(2, 19))


def pid(subject: Subject) -> str:
    """PID with the NHS number and the hospital's own number."""
    identifiers = [f"{escape(subject.nhs_number)}^^^NHS^NH"] if subject.nhs_number else []
    if subject.patient_id:
        issuer = escape(subject.patient_id_issuer or "")
        identifiers.append(f"{escape(subject.patient_id)}^^^{issuer}^MR^{issuer}".rstrip("^"))
    born = subject.birth_date.strftime("%Y%m%d") if subject.birth_date else ""
    sex = subject.patient_sex if subject.patient_sex in {"M", "F", "O"} else "U"
    return line("PID", {1: "1", 3: "~".join(identifiers), 5: _person(subject.patient_name), 7: born, 8: sex})


def accession(subject: Subject) -> str:
    """The accession number with its issuer, as EI."""
    number, issuer = escape(subject.accession_number or ""), escape(subject.accession_issuer or "")
    return f"{number}^^^{issuer}".rstrip("^")


def name_parts(name: str | None) -> list[str]:
    """The five components of a DICOM PN: family, given, middle, prefix, suffix."""
    alphabetic = (name or "").split("=")[0].split("^")
    return [escape(part.strip()) for part in [*alphabetic, "", "", "", "", ""][:5]]


def _person(name: str | None) -> str:
    """DICOM PN (family^given^middle^prefix^suffix) as XPN, where suffix and prefix change places."""
    family, given, middle, prefix, suffix = name_parts(name)
    return "^".join([family, given, middle, suffix, prefix]).rstrip("^")
