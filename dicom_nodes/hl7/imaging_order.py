"""Read ORM^O01 and OMI^O23 into imaging orders (HL7 v2.5.1 ch. 4.2.1, 4.4.12; IHE RAD-2, RAD-4).

What OMI^O23 says in IPC and TQ1, ORM^O01 says in OBR, ORC and ZDS as IHE's Scheduled Workflow fills them; the station
in OBR-21 is local use and unverified here, so that a site may name its stations by modality instead.
"""

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dicom_nodes.hl7.faults import ErrorCode, Hl7Fault, Place
from dicom_nodes.hl7.header import check_header, refused
from dicom_nodes.hl7.identifiers import read_patient
from dicom_nodes.hl7.message import Field, Message, Segment
from dicom_nodes.hl7.order_details import NO_CODES, OrderCodes, read_details
from dicom_nodes.hl7.order_modality import modality_of
from dicom_nodes.hl7.timestamps import HOME, read_date, read_moment
from dicom_nodes.model.attributes import Attributes, text_of
from dicom_nodes.model.procedure import (
    ImagingOrder,
    OrderControl,
    OrderDetails,
    OrderNumber,
    OrderPatient,
    PatientNumber,
    ScheduledStep,
    ScheduleState,
    order_key,
)

_EVENTS = {"ORM": "O01", "OMI": "O23"}
_SCHEDULING = {OrderControl.NEW, OrderControl.CHANGE}
_STATE_OF_ORDER_STATUS = {
    "SC": ScheduleState.SCHEDULED,
    "IP": ScheduleState.STARTED,
    "CM": ScheduleState.COMPLETED,
    "A": ScheduleState.COMPLETED,
    "CA": ScheduleState.CANCELLED,
    "DC": ScheduleState.DISCONTINUED,
}
"""ORC-5, HL7 table 0038; statuses that say nothing of the worklist are taken and change nothing."""
_PRIORITIES = {"S": "STAT", "A": "HIGH", "R": "ROUTINE", "P": "MEDIUM", "C": "HIGH", "T": "MEDIUM"}
"""HL7 TQ-6 to Requested Procedure Priority (0040,1003), after IHE RAD TF-2 appendix B."""
_SEX = {"F": "F", "M": "M", "O": "O", "A": "O"}
_NAMESPACE = uuid.UUID("0b9d5a6c-6c7e-4c0a-9f0e-0c0c4c5b1d11")
_LONGEST_ID = 64
_LONGEST_SHORT = 16
"""Of DICOM's SH: a modality that cuts an identifier off performs a step that nobody scheduled."""
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_AE_TITLE = re.compile(r"[\x21-\x5b\x5d-\x7e]([\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?")


@dataclass(slots=True)
class _Group:
    """The segments of one ORC."""

    orc: Segment
    others: list[Segment] = field(default_factory=list)

    def named(self, name: str) -> list[Segment]:
        return [segment for segment in self.others if segment.name == name]


@dataclass(frozen=True, slots=True)
class _Named:
    """An order's number for identifiers that the message leaves out, and its key, which is no other order's."""

    number: str
    key: str


@dataclass(frozen=True, slots=True)
class OrderIssuers:
    """The trust's own, for numbers that name no issuer: patients and orders are counted by different systems."""

    patient: str
    order: str


def read_orders(
    raw: bytes, issuers: OrderIssuers, stations: Mapping[str, str], codes: OrderCodes = NO_CODES
) -> tuple[ImagingOrder, ...]:
    """Read a message for production (MSH-11 `P`): one order for each ORC.

    Raises:
        Hl7Fault: with segment, field and what was expected.
    """
    message = Message(raw)
    _check_header(message)
    pid = message.named("PID")
    if len(pid) != 1:
        where = pid[1].place() if pid else Place("PID")
        raise Hl7Fault(where, f"expected one PID segment, found {len(pid)}", ErrorCode.SEGMENT_SEQUENCE)
    groups = list(_groups(message))
    if not groups:
        raise Hl7Fault(Place("ORC"), "the message has no ORC segment", ErrorCode.SEGMENT_SEQUENCE)
    patient = _patient(message, pid[0], issuers.patient)
    orders = (_order(group, patient, issuers.order, stations, raw) for group in groups)
    whom = _whom(pid[0], issuers)
    return tuple(
        replace(order, details=_details(group, whom, codes)) for order, group in zip(orders, groups, strict=True)
    )


def _whom(pid: Segment, issuers: OrderIssuers) -> OrderPatient:
    found = read_patient(pid, issuers.patient)
    number = PatientNumber(found.patient_id, found.issuer or issuers.patient) if found.patient_id else None
    return OrderPatient(number, found.nhs_number, read_date(pid.first(7)), issuers.order)


def _details(group: _Group, whom: OrderPatient, codes: OrderCodes) -> OrderDetails:
    obr = group.named("OBR")
    return read_details(group.orc, obr[0] if obr else None, group.named("TQ1"), whom, codes)


def _check_header(message: Message) -> None:
    header = message.header
    if header.value(9, 2) != _EVENTS.get(header.value(9, 1)):
        raise refused(9, "expected ORM^O01 or OMI^O23", ErrorCode.UNSUPPORTED_EVENT)
    check_header(message)


def _groups(message: Message) -> Iterator[_Group]:
    """Each ORC with what follows it; the only ZDS, where it stands at the end, belongs to every order."""
    groups: list[_Group] = []
    for segment in message.segments:
        if segment.name == "ORC":
            groups.append(_Group(segment))
        elif groups:
            groups[-1].others.append(segment)
    said = [group for group in groups if group.named("ZDS")]
    shared = groups[-1].named("ZDS") if said and said[0] is groups[-1] else []
    for group in groups:
        if len(shared) == 1 and not group.named("ZDS"):
            group.others += shared
        yield group


def _order(
    group: _Group, patient: Attributes, default_issuer: str, stations: Mapping[str, str], raw: bytes
) -> ImagingOrder:
    control = _control(group.orc)
    placer, filler = (_number(_first(group, number), default_issuer) for number in (2, 3))
    number = filler or placer
    if number is None:
        raise group.orc.fault(3, "neither placer (ORC-2) nor filler (ORC-3) number", ErrorCode.REQUIRED_FIELD_MISSING)
    state = _STATE_OF_ORDER_STATUS.get(group.orc.value(5)) if control is OrderControl.STATUS else None
    steps: tuple[ScheduledStep, ...] = ()
    if control in _SCHEDULING:
        steps = tuple(_steps(group, patient, _Named(number.number, order_key(placer, filler)), stations))
    owner = PatientNumber(text_of(patient, "PatientID"), text_of(patient, "IssuerOfPatientID"))
    return ImagingOrder(control, placer, filler, steps, state, raw, patient=owner)


def _control(orc: Segment) -> OrderControl:
    try:
        return OrderControl(orc.value(1))
    except ValueError:
        raise orc.fault(1, "expected order control NW, XO, SC, CA or DC", ErrorCode.TABLE_VALUE) from None


def _first(group: _Group, number: int) -> Field:
    """ORC-2 or ORC-3, or OBR's field of the same number."""
    in_orc = group.orc.first(number)
    obr = group.named("OBR")
    return in_orc if in_orc.component(1) or not obr else obr[0].first(number)


def _number(found: Field, default_issuer: str) -> OrderNumber | None:
    number = found.component(1)
    if not number:
        return None
    return OrderNumber(number, found.component(4) or found.component(2) or found.component(3) or default_issuer)


def _patient(message: Message, pid: Segment, default_issuer: str) -> Attributes:
    found = read_patient(pid, default_issuer)
    identifier, issuer = (found.patient_id, found.issuer) if found.patient_id else (found.nhs_number, "NHS")
    if not identifier:
        raise pid.fault(3, "expected a hospital number or an NHS number", ErrorCode.REQUIRED_FIELD_MISSING)
    identifier = _identifier(pid, 3, identifier, _LONGEST_ID)
    name = "^".join(pid.value(5, part) for part in (1, 2, 3, 5, 4)).rstrip("^")
    if not name:
        raise pid.fault(5, "patient name is missing", ErrorCode.REQUIRED_FIELD_MISSING)
    born = read_date(pid.first(7))
    visit = message.named("PV1")
    return {
        "PatientName": name,
        "PatientID": identifier,
        "IssuerOfPatientID": issuer or default_issuer,
        "PatientBirthDate": born.strftime("%Y%m%d") if born else "",
        "PatientSex": _SEX.get(pid.value(8), ""),
        "AdmissionID": visit[0].value(19) if visit else "",
        "CurrentPatientLocation": visit[0].value(3) if visit else "",
        "ReferringPhysicianName": _person(visit[0].first(8)) if visit else "",
        "ReferencedPatientSequence": [],
    }


def _identifier(segment: Segment, number: int, value: str, longest: int = _LONGEST_SHORT) -> str:
    """The value, if DICOM can hold it whole: it must come back from the modality as it went there."""
    if len(value) > longest:
        raise segment.fault(number, f"longer than the {longest} characters that DICOM has for it", ErrorCode.DATA_TYPE)
    if "\\" in value or "^" in value:
        raise segment.fault(number, "an identifier with a backslash or a caret", ErrorCode.DATA_TYPE)
    return value


def _person(xcn: Field) -> str:
    """XCN as DICOM PN."""
    return "^".join(xcn.component(part) for part in (2, 3, 4, 6, 5)).rstrip("^")


def _steps(group: _Group, patient: Attributes, order: _Named, stations: Mapping[str, str]) -> Iterator[ScheduledStep]:
    obr = group.named("OBR")
    if not obr:
        raise Hl7Fault(Place("OBR"), "the order has no OBR segment", ErrorCode.SEGMENT_SEQUENCE)
    scheduled: Sequence[Segment | None] = group.named("IPC") or [None]
    for ipc in scheduled:
        yield _step(group, obr[0], ipc, patient, order, stations)


def _step(
    group: _Group,
    obr: Segment,
    ipc: Segment | None,
    patient: Attributes,
    order: _Named,
    stations: Mapping[str, str],
) -> ScheduledStep:
    where = ipc or obr
    procedure_id = _identifier(where, 2 if ipc else 19, where.value(2 if ipc else 19) or order.number)
    step_id = _identifier(where, 4 if ipc else 20, where.value(4 if ipc else 20) or procedure_id)
    accession = _identifier(where, 1 if ipc else 18, where.value(1 if ipc else 18) or order.number)
    modality = ipc.value(5) if ipc else modality_of(obr, stations)
    if not modality:
        raise where.fault(5, "modality is missing", ErrorCode.REQUIRED_FIELD_MISSING)
    start_date, start_time = _start(group, obr)
    study_instance_uid = _study_instance_uid(group, ipc, order)
    code = {"CodeValue": obr.value(4), "CodingSchemeDesignator": obr.value(4, 3) or "L", "CodeMeaning": obr.value(4, 2)}
    codes: list[Attributes] = [dict(code)] if code["CodeValue"] else []
    description = obr.value(4, 2) or obr.value(4)
    step: Attributes = {
        "ScheduledStationAETitle": _station(ipc, obr, modality, stations),
        "ScheduledProcedureStepStartDate": start_date,
        "ScheduledProcedureStepStartTime": start_time,
        "Modality": modality,
        "ScheduledPerformingPhysicianName": "",
        "ScheduledProcedureStepDescription": description,
        "ScheduledProtocolCodeSequence": [dict(item) for item in codes],
        "ScheduledProcedureStepID": step_id,
        "ScheduledStationName": ipc.value(7) if ipc else "",
        "ScheduledProcedureStepLocation": ipc.value(8) if ipc else "",
        "ScheduledProcedureStepStatus": "SCHEDULED",
    }
    attributes: Attributes = {
        **patient,
        "AccessionNumber": accession,
        "RequestedProcedureID": procedure_id,
        "RequestedProcedureDescription": description,
        "RequestedProcedureCodeSequence": codes,
        "StudyInstanceUID": study_instance_uid,
        "ReferencedStudySequence": [],
        "RequestedProcedurePriority": _priority(group, obr),
        "RequestingPhysician": _person(group.orc.first(12)) or _person(obr.first(16)),
        "ScheduledProcedureStepSequence": [step],
    }
    return ScheduledStep(step_id, study_instance_uid, start_date, attributes)


def _station(ipc: Segment | None, obr: Segment, modality: str, stations: Mapping[str, str]) -> str:
    where, number = (ipc, 9) if ipc else (obr, 21)
    title = where.value(number) or stations.get(modality, "")
    if not title:
        words = "no station; expected its AE title here, or a station for the modality in this node's settings"
        raise where.fault(number, words, ErrorCode.REQUIRED_FIELD_MISSING)
    if not _AE_TITLE.fullmatch(title):
        raise where.fault(number, "not an AE title", ErrorCode.DATA_TYPE)
    return title


def _start(group: _Group, obr: Segment) -> tuple[str, str]:
    """(YYYYMMDD, HHMMSS) of Europe/London: TQ1-7, or ORC-7.4, OBR-27.4 or OBR-36."""
    timing = group.named("TQ1")
    places: Sequence[tuple[Segment, int, int]] = [
        *((segment, 7, 1) for segment in timing), (group.orc, 7, 4), (obr, 27, 4), (obr, 36, 1),
    ]  # fmt: skip
    for segment, number, component in places:
        if segment.value(number, component):
            moment = read_moment(_component(segment, number, component))
            if moment is None:
                raise segment.fault(number, "expected a date with hour and minute", ErrorCode.DATA_TYPE)
            local = moment.astimezone(HOME)
            return local.strftime("%Y%m%d"), local.strftime("%H%M%S")
    words = "no time of the examination; expected it in TQ1-7, ORC-7.4, OBR-27.4 or OBR-36"
    raise group.orc.fault(7, words, ErrorCode.REQUIRED_FIELD_MISSING)


def _component(segment: Segment, number: int, component: int) -> Field:
    """The component as a field of its own, so that a time in it is read like any other."""
    found = segment.first(number)
    parts = found.raw.split(found.delimiters.component)
    return Field(parts[component - 1], found.place, found.delimiters, found.charset)


def _study_instance_uid(group: _Group, ipc: Segment | None, order: _Named) -> str:
    """IPC-3 or ZDS-1; ours, and the same for the same order, where the order has none."""
    said = [(ipc, 3)] if ipc else []
    for segment, place in [*said, *((zds, 1) for zds in group.named("ZDS"))]:
        uid = segment.value(place)
        if uid and not (_UID.fullmatch(uid) and len(uid) <= 64):
            raise segment.fault(place, "not a DICOM UID", ErrorCode.DATA_TYPE)
        if uid:
            return uid
    return f"2.25.{uuid.uuid5(_NAMESPACE, order.key).int}"


def _priority(group: _Group, obr: Segment) -> str:
    timing = group.named("TQ1")
    stated = (timing[0].value(9) if timing else "") or group.orc.value(7, 6) or obr.value(27, 6) or obr.value(5)
    return _PRIORITIES.get(stated, "")
