"""What a refused message still says of alerts, and of whom: the report waits for a person, its alert does not.

Looks at what can be read and never fails. Codes are found wherever they stand, because what is wrong may be the very
field that says what kind of value it is. Of the identity all is believed or nothing (HAZARDS 12, 13; ADR 122).
"""

from collections.abc import Callable, Iterator

from dicom_nodes.hl7.escapes import Delimiters
from dicom_nodes.hl7.faults import Hl7Fault
from dicom_nodes.hl7.identifiers import accession_of, read_patient
from dicom_nodes.hl7.message import Message, read_header
from dicom_nodes.hl7.observations import study_instance_uid
from dicom_nodes.hl7.timestamps import read_date
from dicom_nodes.model.report import AlertCode, ClaimedIdentity, RefusedClaims
from dicom_nodes.rules.refused_claims import claims, is_plain, may_add

_STATUS_AT = {b"OBR": 25, b"OBX": 11}
_OF_A_FIRST_REPORT = {b"P", b"F", b"R", b"S", b"I", b"O", b"U", b"X"}


def claims_of(raw: bytes, *, whole: bool = True) -> RefusedClaims:
    """The codes and the identity of a message that could not be read; not `whole`: its end was thrown away."""
    lines = [line for line in raw.replace(b"\n", b"\r").split(b"\r") if line]
    if not whole:
        lines = lines[:-1]  # cut somewhere: half a value is none
    delimiters = _delimiters(raw)
    changes = _may_change(lines, delimiters.field) or may_add(raw)
    return claims(_codes(lines, delimiters), _identity(b"\r".join(lines)), changes=changes, whole=whole)


def _delimiters(raw: bytes) -> Delimiters:
    try:
        return read_header(raw).delimiters
    except Hl7Fault:
        return Delimiters()


def _may_change(lines: list[bytes], separator: bytes) -> bool:
    """Whether OBR-25 or OBX-11 says anything but that it is a first report, or neither says anything."""
    stated = {
        fields[_STATUS_AT[kind]].strip()
        for line in lines
        if (kind := (fields := line.split(separator))[0].strip()) in _STATUS_AT and len(fields) > _STATUS_AT[kind]
    } - {b""}
    return not stated or not stated <= _OF_A_FIRST_REPORT


def _codes(lines: list[bytes], delimiters: Delimiters) -> Iterator[AlertCode | None]:
    """(value, scheme) of OBX-3 and OBX-5, a code and its alternative of each repetition (CE, CWE); None: unreadable."""
    for line in lines:
        fields = line.split(delimiters.field)
        if fields[0].strip() != b"OBX":
            continue
        for number in (3, 5):
            field = fields[number] if number < len(fields) else b""
            for repetition in field.split(delimiters.repetition) if delimiters.repetition else [field]:
                yield from _coded(repetition.split(delimiters.component))


def _coded(components: list[bytes]) -> Iterator[AlertCode | None]:
    for first in (0, 3):
        value, scheme = (part.strip() for part in (*components[first : first + 3 : 2], b"", b"")[:2])
        if value and scheme:
            code, of = value.decode("latin-1"), scheme.decode("latin-1")
            yield AlertCode(code, of) if is_plain(code) and is_plain(of) else None


def _identity(raw: bytes) -> ClaimedIdentity | None:
    """Of one patient and one study, every part of it readable; else None."""
    return _unless_faulty(lambda: _read_identity(Message(_segments_alone(raw))))


def _segments_alone(raw: bytes) -> bytes:
    """Without lines that are no segments: text behind a line end that was not escaped."""
    separator = raw[3:4]
    return b"\r".join(line for line in raw.split(b"\r") if line[3:4] == separator and line[:3].isalnum())


def _read_identity(message: Message) -> ClaimedIdentity | None:
    patients = message.named("PID")
    orders = [*message.named("ORC"), *message.named("OBR")]
    accessions = {found for order in orders if (found := accession_of(order)).number}
    with_orc = {found for order in message.named("ORC") if (found := accession_of(order)).number}
    accessions = with_orc or accessions
    if len(patients) != 1 or len(accessions) > 1:
        return None
    accession = next(iter(accessions), None)
    patient = read_patient(patients[0], accession.issuer if accession else None)
    return ClaimedIdentity(
        study_instance_uid=study_instance_uid(message.named("OBX")),
        accession_number=accession.number if accession else None,
        accession_issuer=accession.issuer if accession else None,
        patient_id=patient.patient_id,
        patient_id_issuer=patient.issuer,
        nhs_number=patient.nhs_number,
        birth_date=read_date(patients[0].first(7)),
    )


def _unless_faulty(read: Callable[[], ClaimedIdentity | None]) -> ClaimedIdentity | None:
    try:
        return read()
    except Hl7Fault:
        return None
