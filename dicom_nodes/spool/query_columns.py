"""Where the value of each query key is kept, and how rows become answers.

A query is read once into an `AnswerShape`; for each row only what it needs is fetched, compared and put into words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dicom_nodes.model.query import QueryLevel
from dicom_nodes.rules.ingest import is_uid
from dicom_nodes.rules.query_identifier import CheckedQuery
from dicom_nodes.rules.query_matching import Test
from dicom_nodes.spool.tables import instance, instance_kind, series, study

COLUMNS: Mapping[str, Any] = {
    "PatientID": study.c.patient_id,
    "IssuerOfPatientID": study.c.patient_id_issuer,
    "IssuerOfPatientIDQualifiersSequence.UniversalEntityID": study.c.patient_id_issuer,
    "IssuerOfPatientIDQualifiersSequence.UniversalEntityIDType": study.c.patient_id_issuer,
    "OtherPatientIDs": study.c.nhs_number,
    "OtherPatientIDsSequence.PatientID": study.c.nhs_number,
    "OtherPatientIDsSequence.IssuerOfPatientID": study.c.nhs_number,
    "OtherPatientIDsSequence.TypeOfPatientID": study.c.nhs_number,
    "PatientName": study.c.patient_name,
    "PatientBirthDate": study.c.patient_birth_date,
    "PatientSex": study.c.patient_sex,
    "StudyInstanceUID": study.c.study_instance_uid,
    "StudyDate": study.c.study_date,
    "StudyTime": study.c.study_time,
    "AccessionNumber": study.c.accession_number,
    "IssuerOfAccessionNumberSequence.LocalNamespaceEntityID": study.c.accession_issuer,
    "IssuerOfAccessionNumberSequence.UniversalEntityID": study.c.accession_issuer,
    "IssuerOfAccessionNumberSequence.UniversalEntityIDType": study.c.accession_issuer,
    "StudyID": study.c.study_id,
    "StudyDescription": study.c.study_description,
    "ReferringPhysicianName": study.c.referring_physician_name,
    "ModalitiesInStudy": study.c.modalities,
    "NumberOfStudyRelatedSeries": study.c.series_count,
    "NumberOfStudyRelatedInstances": study.c.instance_count,
    "SeriesInstanceUID": series.c.series_instance_uid,
    "Modality": series.c.modality,
    "SeriesNumber": series.c.series_number,
    "SeriesDescription": series.c.series_description,
    "BodyPartExamined": series.c.body_part_examined,
    "SeriesDate": series.c.series_date,
    "SeriesTime": series.c.series_time,
    "NumberOfSeriesRelatedInstances": series.c.instance_count,
    "SOPInstanceUID": instance.c.sop_instance_uid,
    "SOPClassUID": instance_kind.c.sop_class_uid,
    "InstanceNumber": instance.c.instance_number,
    "AcquisitionNumber": instance.c.acquisition_number,
    "ContentTime": instance.c.content_time,
}
_ATTRIBUTES: Mapping[QueryLevel, Any] = {
    QueryLevel.PATIENT: study.c.attributes,
    QueryLevel.STUDY: study.c.attributes,
    QueryLevel.SERIES: series.c.attributes,
    QueryLevel.IMAGE: instance_kind.c.attributes,
}
COUNTED = frozenset(
    {
        "NumberOfPatientRelatedStudies",
        "NumberOfPatientRelatedSeries",
        "NumberOfPatientRelatedInstances",
        "SOPClassesInStudy",
    }
)
"""Keys that no row holds; they are counted for a page of rows at once."""
_UNIVERSAL, _UNIVERSAL_TYPE, _LOCAL = ".UniversalEntityID", ".UniversalEntityIDType", ".LocalNamespaceEntityID"


@dataclass(frozen=True, slots=True)
class AnswerShape:
    """`columns` to select; `places` says for each keyword which of them holds it, under which attribute if any."""

    columns: tuple[Any, ...]
    places: tuple[tuple[str, int, str | None], ...]
    tests: tuple[tuple[str, Test], ...]
    late_tests: tuple[tuple[str, Test], ...]
    """Of counted keys."""
    counted: frozenset[str]

    def values(self, row: Sequence[Any]) -> dict[str, str] | None:
        """A row's values, None where one does not meet its key; still to be counted and worded."""
        found: dict[str, str] = {}
        for keyword, place, attribute in self.places:
            value = row[place] if attribute is None else row[place].get(attribute)
            found[keyword] = "" if value is None else str(value)
        if "ModalitiesInStudy" in found:
            found["ModalitiesInStudy"] = found["ModalitiesInStudy"].strip("\\")
        return found if all(test(found[keyword]) for keyword, test in self.tests) else None


def shape_of(query: CheckedQuery) -> AnswerShape:
    """What to fetch for a query; where the Patient ID is a key its issuer too: two patients may share the id."""
    wanted = {keyword: level for keyword, (level, _) in query.keys.items()}
    if "PatientID" in wanted:
        wanted.setdefault("IssuerOfPatientID", QueryLevel.PATIENT)
    columns: list[Any] = []
    places = []
    for keyword, level in wanted.items():
        if keyword in COUNTED:
            continue
        column = COLUMNS.get(keyword)
        attribute = keyword if column is None else None
        column = _ATTRIBUTES[level] if column is None else column
        place = next((n for n, known in enumerate(columns) if known is column), len(columns))
        if place == len(columns):
            columns.append(column)
        places.append((keyword, place, attribute))
    tests = [(keyword, test) for keyword in query.keys if (test := query.test(keyword)) is not None]
    return AnswerShape(
        columns=tuple(columns),
        places=tuple(places),
        tests=tuple(test for test in tests if test[0] not in COUNTED),
        late_tests=tuple(test for test in tests if test[0] in COUNTED),
        counted=frozenset(wanted) & COUNTED,
    )


def worded(values: dict[str, str]) -> dict[str, str]:
    """Put an issuer, kept as one text, into the element of its sequence that its form belongs to."""
    for keyword in [keyword for keyword in values if "." in keyword]:
        text = values[keyword]
        if keyword.startswith("OtherPatientIDsSequence.") and not keyword.endswith(".PatientID"):
            values[keyword] = ("NHS" if keyword.endswith(".IssuerOfPatientID") else "TEXT") if text else ""
        elif keyword.endswith(_LOCAL):
            values[keyword] = "" if is_uid(text) else text
        elif keyword.endswith(_UNIVERSAL):
            values[keyword] = text if is_uid(text) else ""
        elif keyword.endswith(_UNIVERSAL_TYPE):
            values[keyword] = "ISO" if is_uid(text) else ""
    return values
