"""Read the attributes a node works with out of an encoded data set, checking its structure to the end.

Values are never validated beyond what identity needs: an image with an odd date is still an image.
"""

import re
import struct
import threading
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

from dicom_nodes.encoding.text import TextDecoder
from dicom_nodes.encoding.walk import (
    DamagedDataSetError,
    Data,
    Element,
    Layout,
    is_deflated,
    items,
    layout_of,
    plain_data_set,
    walk,
)
from dicom_nodes.foundation.nhs_number import is_nhs_number
from dicom_nodes.model.instance import InstanceHeader

KEYWORDS = {
    0x00080005: "SpecificCharacterSet",
    0x00080008: "ImageType",
    0x00080016: "SOPClassUID",
    0x00080018: "SOPInstanceUID",
    0x00080020: "StudyDate",
    0x00080021: "SeriesDate",
    0x00080022: "AcquisitionDate",
    0x00080023: "ContentDate",
    0x00080030: "StudyTime",
    0x00080031: "SeriesTime",
    0x00080033: "ContentTime",
    0x00080050: "AccessionNumber",
    0x00080060: "Modality",
    0x00080070: "Manufacturer",
    0x00080080: "InstitutionName",
    0x00080090: "ReferringPhysicianName",
    0x00080201: "TimezoneOffsetFromUTC",
    0x00081010: "StationName",
    0x00081030: "StudyDescription",
    0x0008103E: "SeriesDescription",
    0x00081050: "PerformingPhysicianName",
    0x00081060: "NameOfPhysiciansReadingStudy",
    0x00081070: "OperatorsName",
    0x00081090: "ManufacturerModelName",
    0x00100010: "PatientName",
    0x00100020: "PatientID",
    0x00100021: "IssuerOfPatientID",
    0x00100030: "PatientBirthDate",
    0x00100032: "PatientBirthTime",
    0x00100040: "PatientSex",
    0x00101010: "PatientAge",
    0x00101020: "PatientSize",
    0x00101030: "PatientWeight",
    0x00104000: "PatientComments",
    0x00180015: "BodyPartExamined",
    0x00181030: "ProtocolName",
    0x0020000D: "StudyInstanceUID",
    0x0020000E: "SeriesInstanceUID",
    0x00200010: "StudyID",
    0x00200011: "SeriesNumber",
    0x00200012: "AcquisitionNumber",
    0x00200013: "InstanceNumber",
    0x00200060: "Laterality",
    0x00280008: "NumberOfFrames",
    0x00280010: "Rows",
    0x00280011: "Columns",
    0x00280100: "BitsAllocated",
    0x00400244: "PerformedProcedureStepStartDate",
    0x00400245: "PerformedProcedureStepStartTime",
    0x0040A491: "CompletionFlag",
    0x0040A493: "VerificationFlag",
}
_NUMBERS = {0x00280010, 0x00280011, 0x00280100}
_OTHER_PATIENT_IDS, _PATIENT_ID_QUALIFIERS, _ACCESSION_ISSUER = 0x00101002, 0x00100024, 0x00080051
_PROCEDURE_CODE, _REQUESTED_PROCEDURE_CODE = 0x00081032, 0x00321064
_SEQUENCES = {
    _OTHER_PATIENT_IDS, _PATIENT_ID_QUALIFIERS, _ACCESSION_ISSUER, _PROCEDURE_CODE, _REQUESTED_PROCEDURE_CODE,
}  # fmt: skip
_LOCAL_NAMESPACE_ENTITY_ID, _UNIVERSAL_ENTITY_ID = 0x00400031, 0x00400032
_PIXELS = {0x7FE00010, 0x7FE00008, 0x7FE00009, 0x00287FE0}
"""Pixel Data, Float and Double Float Pixel Data, Pixel Data Provider URL."""
_WANTED = frozenset(KEYWORDS) | _SEQUENCES | _PIXELS
_HOME = ZoneInfo("Europe/London")
_ONE_INFLATED = threading.Lock()
"""What a data set inflates to lies in memory whole; never that of two at once."""

_SHORT_BYTES = 128
Item = dict[int, str]


def read_header(data_set: Data, transfer_syntax_uid: str) -> InstanceHeader:
    """Read the header of a whole data set. UIDs that are absent come back as empty strings.

    Raises:
        DamagedDataSetError: the bytes are not one complete data set in this transfer syntax.
    """
    with _ONE_INFLATED if is_deflated(transfer_syntax_uid) else nullcontext():
        return _header_of(plain_data_set(data_set, transfer_syntax_uid), transfer_syntax_uid)


def _header_of(data: Data, transfer_syntax_uid: str) -> InstanceHeader:
    layout = layout_of(transfer_syntax_uid)
    found = {element.tag: element for element in walk(data, layout, _WANTED)}
    if 0x00280100 in found and not _PIXELS & found.keys():
        raise DamagedDataSetError("announces pixels (Bits Allocated) but ends before any pixel data")
    reader = _Reader(data, layout, found)
    attributes: dict[str, str] = {}
    sequences: dict[int, list[Item]] = {}
    for tag, element in found.items():
        if (keyword := KEYWORDS.get(tag)) is not None:
            if text := reader.text(element):
                attributes[keyword] = text
        elif tag in _SEQUENCES:
            sequences[tag] = reader.items(element)
    return InstanceHeader(
        sop_class_uid=attributes.get("SOPClassUID", ""),
        sop_instance_uid=attributes.get("SOPInstanceUID", ""),
        study_instance_uid=attributes.get("StudyInstanceUID", ""),
        series_instance_uid=attributes.get("SeriesInstanceUID", ""),
        transfer_syntax_uid=transfer_syntax_uid,
        patient_id=attributes.get("PatientID"),
        patient_id_issuer=attributes.get("IssuerOfPatientID") or _entity(sequences.get(_PATIENT_ID_QUALIFIERS)),
        nhs_number=_nhs_number(attributes, sequences.get(_OTHER_PATIENT_IDS, [])),
        birth_date=_date(attributes.get("PatientBirthDate")),
        accession_number=attributes.get("AccessionNumber"),
        accession_issuer=_entity(sequences.get(_ACCESSION_ISSUER)),
        study_time=_moment(attributes),
        exam_code=_code(sequences.get(_PROCEDURE_CODE) or sequences.get(_REQUESTED_PROCEDURE_CODE)),
        attributes=attributes,
    )


class _Reader:
    """Decodes values of one data set."""

    def __init__(self, data: Data, layout: Layout, found: dict[int, Element]) -> None:
        self._data, self._layout = data, layout
        charset = found.get(0x00080005)
        declared = self._data[charset.start : charset.end].decode("ascii", "replace").strip("\0 ") if charset else None
        self._declared = declared

    def text(self, element: Element) -> str:
        value = self._data[element.start : element.end]
        if element.tag in _NUMBERS:
            return str(struct.unpack_from(self._layout.byte_order + "H", value)[0]) if len(value) >= 2 else ""
        if len(value) <= _SHORT_BYTES:
            return _short_text(self._declared, value)
        return _decoder(self._declared).decode(value).strip()

    def items(self, sequence: Element) -> list[Item]:
        return [
            {
                element.tag: self.text(element)
                for element in item
                if not element.undefined_length and element.vr != b"SQ"
            }
            for item in items(self._data, sequence, self._layout)
        ]


@lru_cache(64)
def _decoder(declared: str | None) -> TextDecoder:
    return TextDecoder(declared)


@lru_cache(8192)
def _short_text(declared: str | None, value: bytes) -> str:
    """Remembered: the images of a study repeat nearly all of their texts."""
    return _decoder(declared).decode(value).strip()


def _nhs_number(attributes: dict[str, str], others: list[Item]) -> str | None:
    """An NHS number counts only under the issuer NHS and with its check digit (HAZARDS 1)."""
    claimed = [(attributes.get("IssuerOfPatientID", ""), attributes.get("PatientID", ""))]
    claimed += [(other.get(0x00100021, ""), other.get(0x00100020, "")) for other in others]
    for issuer, number in claimed:
        compact = number.replace(" ", "").replace("-", "")
        if issuer.upper() in {"NHS", "NHSNBR", "2.16.840.1.113883.2.1.4.1"} and is_nhs_number(compact):
            return compact
    return None


def _entity(sequence: list[Item] | None) -> str | None:
    if not sequence:
        return None
    return sequence[0].get(_LOCAL_NAMESPACE_ENTITY_ID) or sequence[0].get(_UNIVERSAL_ENTITY_ID) or None


def _code(sequence: list[Item] | None) -> tuple[str, str, str | None] | None:
    if not sequence or not sequence[0].get(0x00080100):
        return None
    return sequence[0][0x00080100], sequence[0].get(0x00080102, ""), sequence[0].get(0x00080104) or None


def _date(text: str | None) -> date | None:
    if text is None or len(text) != 8 or not (text.isascii() and text.isdigit()):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def _moment(attributes: dict[str, str]) -> datetime | None:
    get = attributes.get
    return _moment_of(get("StudyDate"), get("StudyTime", ""), get("TimezoneOffsetFromUTC", ""))


@lru_cache(1024)
def _moment_of(study_date: str | None, study_time: str, timezone_offset: str) -> datetime | None:
    day = _date(study_date)
    if day is None:
        return None
    clock = re.match(r"(\d{2})(\d{2})?(\d{2})?", study_time)
    hour, minute, second = (int(part or 0) for part in clock.groups()) if clock else (0, 0, 0)
    offset = re.fullmatch(r"([+-])(\d{2})(\d{2})", timezone_offset)
    zone: timezone | ZoneInfo = _HOME
    try:
        if offset:
            size = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
            zone = timezone(size if offset[1] == "+" else -size)
        return datetime(day.year, day.month, day.day, hour, minute, min(second, 59), tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
