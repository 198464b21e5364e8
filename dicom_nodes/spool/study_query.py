"""Answers queries from the catalogue's tables: SQL narrows, the rules of matching decide.

SQL alone cannot: its LIKE is case-sensitive on one database and not on the other. What it lets through is always a
superset of what matches, so both databases answer alike.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Row, Select, and_, distinct, func, or_, select

from dicom_nodes.foundation.database import Database
from dicom_nodes.model.errors import IdentifierMismatch
from dicom_nodes.model.instance import StoredObject
from dicom_nodes.model.query import Match, QueryLevel
from dicom_nodes.rules.person_name import fold
from dicom_nodes.rules.query_identifier import CheckedQuery, RetrieveSelection
from dicom_nodes.rules.query_matching import Matching, date_range, has_wildcard, is_universal, matches
from dicom_nodes.spool.catalogue_rows import stored_object
from dicom_nodes.spool.tables import instance, series, study

_COLUMNS: Mapping[str, Any] = {
    "PatientID": study.c.patient_id,
    "IssuerOfPatientID": study.c.patient_id_issuer,
    "PatientName": study.c.patient_name,
    "PatientBirthDate": study.c.patient_birth_date,
    "PatientSex": study.c.patient_sex,
    "StudyInstanceUID": study.c.study_instance_uid,
    "StudyDate": study.c.study_date,
    "StudyTime": study.c.study_time,
    "AccessionNumber": study.c.accession_number,
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
    "SOPClassUID": instance.c.sop_class_uid,
    "InstanceNumber": instance.c.instance_number,
}
_FOLDED: Mapping[str, Any] = {
    "PatientName": study.c.patient_name_folded,
    "ReferringPhysicianName": study.c.referring_physician_name_folded,
}
_ATTRIBUTES: Mapping[QueryLevel, Any] = {
    QueryLevel.PATIENT: study.c.attributes,
    QueryLevel.STUDY: study.c.attributes,
    QueryLevel.SERIES: series.c.attributes,
    QueryLevel.IMAGE: instance.c.attributes,
}
_PATIENT_COUNTS = frozenset(
    {"NumberOfPatientRelatedStudies", "NumberOfPatientRelatedSeries", "NumberOfPatientRelatedInstances"}
)
_ROWS_AT_A_TIME = 200


class StudyQuery:
    """Implements `flows.query.QueryCatalogue` and `flows.retrieve.RetrieveCatalogue`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, query: CheckedQuery) -> Iterator[Match]:
        """Stream the matches of a query, in the order of their UIDs.

        Where the Patient ID is a key its issuer is answered too: the same number may stand for two patients.
        """
        statement = _statement(query)
        with self._database.read() as connection:
            streaming = connection.execution_options(yield_per=_ROWS_AT_A_TIME)
            with streaming.execute(statement) as rows:
                yield from _answers(query, rows, connection)

    def select(self, selection: RetrieveSelection) -> Sequence[StoredObject]:
        """The instances under the unique keys.

        Raises:
            IdentifierMismatch: the Patient ID alone stands for patients of several issuers.
        """
        with self._database.read() as connection:
            _require_one_issuer(selection, connection)
            return [stored_object(row) for row in connection.execute(_selection_statement(selection))]


def _answers(query: CheckedQuery, rows: Iterable[Row[Any]], connection: Connection) -> Iterator[Match]:
    """The rows that match, one for each patient at PATIENT level (rows come ordered by patient)."""
    last_patient: tuple[object, ...] | None = None
    for row in rows:
        values = _values(query, row, connection)
        if not _is_match(query, values):
            continue
        if query.level is QueryLevel.PATIENT:
            if _patient_key(row) == last_patient:
                continue
            last_patient = _patient_key(row)
        yield values


def _statement(query: CheckedQuery) -> Select[Any]:
    source, columns, order = _source(query.level)
    conditions = [
        condition
        for keyword, (_, wanted) in query.keys.items()
        if (condition := _condition(keyword, query.matching(keyword), wanted)) is not None
    ]
    return select(*columns).select_from(source).where(and_(True, *conditions)).order_by(*order)


def _source(level: QueryLevel) -> tuple[FromClause, list[Any], list[Any]]:
    if level in {QueryLevel.PATIENT, QueryLevel.STUDY}:
        by_patient = [study.c.patient_id_issuer, study.c.patient_id, study.c.study_instance_uid]
        return study, [study], by_patient if level is QueryLevel.PATIENT else [study.c.study_instance_uid]
    joined: FromClause = study.join(series, series.c.study_instance_uid == study.c.study_instance_uid)
    if level is QueryLevel.SERIES:
        return joined, [study, series], [study.c.study_instance_uid, series.c.series_instance_uid]
    joined = joined.join(
        instance,
        and_(
            instance.c.study_instance_uid == series.c.study_instance_uid,
            instance.c.series_instance_uid == series.c.series_instance_uid,
        ),
    )
    return joined, [study, series, instance], [instance.c.study_instance_uid, instance.c.sop_instance_uid]


def _condition(keyword: str, matching: Matching, wanted: str) -> ColumnElement[bool] | None:
    """What SQL can rule out; None leaves it to the rules."""
    column = _COLUMNS.get(keyword)
    if column is None or is_universal(matching, wanted):
        return None
    match matching:
        case Matching.UID:
            return column.in_([part.strip("\0 ") for part in wanted.split("\\")])  # type: ignore[no-any-return]
        case Matching.NAME:
            return or_(*(_name_condition(_FOLDED[keyword], part) for part in wanted.split("\\")))
        case Matching.DATE:
            bounds = date_range(wanted)
            limits = [column >= bounds.low] if bounds.low else []
            return and_(True, *limits, *([column <= bounds.high] if bounds.high else []))
        case Matching.TEXT if keyword == "ModalitiesInStudy":
            return or_(*(column.like(f"%\\\\{_like(part)}\\\\%", escape="\\") for part in wanted.split("\\")))
        case Matching.TEXT:
            return or_(*(_text_condition(column, part.strip()) for part in wanted.split("\\")))
    return None


def _text_condition(column: Any, part: str) -> ColumnElement[bool]:
    like: ColumnElement[bool] = column.like(_like(part), escape="\\")
    return like if has_wildcard(part) else column == part


def _name_condition(column: Any, part: str) -> ColumnElement[bool]:
    pattern = _like(fold(part))
    return or_(column.like(f"{pattern}%", escape="\\"), column.like(f"%={pattern}%", escape="\\"))


def _like(text: str) -> str:
    """A LIKE pattern in which only `*` and `?` are wildcards."""
    escaped = text.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")


def _values(query: CheckedQuery, row: Row[Any], connection: Connection) -> dict[str, str]:
    values = {keyword: _value(keyword, level, row, connection) for keyword, (level, _) in query.keys.items()}
    if "PatientID" in values:
        values["IssuerOfPatientID"] = _value("IssuerOfPatientID", QueryLevel.PATIENT, row, connection)
    return values


def _value(keyword: str, level: QueryLevel, row: Row[Any], connection: Connection) -> str:
    if keyword in _PATIENT_COUNTS:
        return str(_patient_count(keyword, row, connection))
    if keyword == "SOPClassesInStudy":
        return "\\".join(_sop_classes(row, connection))
    column = _COLUMNS.get(keyword)
    value = row._mapping[column] if column is not None else row._mapping[_ATTRIBUTES[level]].get(keyword)
    if keyword == "ModalitiesInStudy":
        return str(value or "").strip("\\")
    return "" if value is None else str(value)


def _is_match(query: CheckedQuery, values: Mapping[str, str]) -> bool:
    return all(matches(query.matching(keyword), wanted, values[keyword]) for keyword, (_, wanted) in query.keys.items())


def _patient_key(row: Row[Any]) -> tuple[object, ...]:
    """A patient is (issuer, id); a study without an id is nobody else's."""
    patient_id = row._mapping[study.c.patient_id]
    if not patient_id:
        return ("", row._mapping[study.c.study_instance_uid])
    return (row._mapping[study.c.patient_id_issuer], patient_id)


def _patient_count(keyword: str, row: Row[Any], connection: Connection) -> int:
    counted = {
        "NumberOfPatientRelatedStudies": func.count(),
        "NumberOfPatientRelatedSeries": func.coalesce(func.sum(study.c.series_count), 0),
        "NumberOfPatientRelatedInstances": func.coalesce(func.sum(study.c.instance_count), 0),
    }[keyword]
    if not row._mapping[study.c.patient_id]:
        same = study.c.study_instance_uid == row._mapping[study.c.study_instance_uid]
    else:
        same = and_(
            study.c.patient_id == row._mapping[study.c.patient_id],
            study.c.patient_id_issuer.is_not_distinct_from(row._mapping[study.c.patient_id_issuer]),
        )
    return int(connection.execute(select(counted).select_from(study).where(same)).scalar_one())


def _sop_classes(row: Row[Any], connection: Connection) -> Sequence[str]:
    uid = row._mapping[study.c.study_instance_uid]
    statement = select(distinct(instance.c.sop_class_uid)).where(instance.c.study_instance_uid == uid)
    return sorted(connection.execute(statement).scalars())


def _selection_statement(selection: RetrieveSelection) -> Select[Any]:
    statement = select(instance).join(study, study.c.study_instance_uid == instance.c.study_instance_uid)
    if selection.patient_id is not None:
        statement = statement.where(study.c.patient_id == selection.patient_id)
    if selection.patient_id_issuer is not None:
        statement = statement.where(study.c.patient_id_issuer == selection.patient_id_issuer)
    for column, uids in (
        (instance.c.study_instance_uid, selection.study_instance_uids),
        (instance.c.series_instance_uid, selection.series_instance_uids),
        (instance.c.sop_instance_uid, selection.sop_instance_uids),
    ):
        if uids:
            statement = statement.where(column.in_(uids))
    return statement.order_by(
        instance.c.study_instance_uid, instance.c.series_instance_uid, instance.c.sop_instance_uid
    )


def _require_one_issuer(selection: RetrieveSelection, connection: Connection) -> None:
    if selection.patient_id is None or selection.patient_id_issuer is not None or selection.study_instance_uids:
        return
    statement = select(study.c.patient_id_issuer).where(study.c.patient_id == selection.patient_id).distinct()
    if len(connection.execute(statement).all()) > 1:
        raise IdentifierMismatch("several issuers use this Patient ID: name Issuer of Patient ID")
