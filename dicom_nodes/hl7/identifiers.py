"""Who and which examination: PID-3 and ORC-3/OBR-3, each identifier with its issuer (HL7 v2.5.1 CX, EI).

A bare number is passed on as unqualified (issuer None) and joins nothing (HAZARDS 1, 2).
"""

from dataclasses import dataclass

from dicom_nodes.foundation.nhs_number import is_nhs_number
from dicom_nodes.hl7.faults import ErrorCode
from dicom_nodes.hl7.message import Field, Segment

_UNIVERSAL_ID_TYPES = {"DNS", "GUID", "HCD", "HL7", "ISO", "L", "M", "N", "Random", "URI", "UUID", "x400", "x500"}
"""HL7 table 0301: in EI.4 these are the type of EI.3, anything else there is the authority (UK usage)."""


@dataclass(frozen=True, slots=True)
class Patient:
    """The identifiers of PID-3."""

    patient_id: str | None
    issuer: str | None
    nhs_number: str | None


@dataclass(frozen=True, slots=True)
class Accession:
    """An accession number and who gave it."""

    number: str | None
    issuer: str | None


def accession_of(order: Segment) -> Accession:
    """The accession of an ORC (ORC-3) or, of a message whose ORCs have none, of an OBR (OBR-3)."""
    return _entity(order.first(3))


def _entity(field: Field) -> Accession:
    number, namespace, universal, kind = (field.component(part) for part in range(1, 5))
    authority = "" if kind in _UNIVERSAL_ID_TYPES else kind
    return Accession(number or None, authority or namespace or universal or None)


def read_patient(pid: Segment, preferred_issuer: str | None) -> Patient:
    """NHS number (CX.5 `NH`) and hospital number (CX.5 `MR` or `PI`, issuer CX.6 or CX.4).

    Of hospital numbers of several issuers, the `preferred_issuer`'s is taken, otherwise the first qualified one.

    Raises:
        Hl7Fault: an NHS number that fails its check digit, or two numbers where there can be only one.
    """
    nhs_numbers: set[str] = set()
    hospital: dict[str | None, str] = {}
    for cx in pid.repetitions(3):
        number, issuer, kind = cx.component(1), cx.component(6) or cx.component(4) or None, cx.component(5)
        if not number:
            continue
        if kind == "NH" or (not kind and cx.component(4) == "NHS"):
            nhs_numbers.add(_nhs_number(pid, number))
        elif kind in {"MR", "PI", ""} and hospital.setdefault(issuer, number) != number:
            raise pid.fault(3, "two hospital numbers of one issuer", ErrorCode.DATA_TYPE)
    if len(nhs_numbers) > 1:
        raise pid.fault(3, "two different NHS numbers", ErrorCode.DATA_TYPE)
    issuer = _choose(hospital, preferred_issuer)
    return Patient(hospital.get(issuer), issuer, next(iter(nhs_numbers), None))


def _choose(hospital: dict[str | None, str], preferred_issuer: str | None) -> str | None:
    if preferred_issuer in hospital:
        return preferred_issuer
    return next((issuer for issuer in hospital if issuer), None)


def _nhs_number(pid: Segment, text: str) -> str:
    number = text.replace(" ", "").replace("-", "")
    if not is_nhs_number(number):
        raise pid.fault(3, "NHS number does not pass its check digit (modulus 11)", ErrorCode.DATA_TYPE)
    return number
