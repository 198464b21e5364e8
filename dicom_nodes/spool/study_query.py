"""Answers queries and resolves retrieves from the catalogue's tables: SQL narrows, the rules of matching decide.

An answer is read page by page, each in a short transaction of its own: a workstation that reads slowly, or a million
rows, hold neither a connection nor a snapshot (which on SQLite keeps the write-ahead log from being emptied). A study
that is here all the while is answered once; one that comes or changes meanwhile, as it was when its page was read.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, select, tuple_

from dicom_nodes.foundation.database import Database
from dicom_nodes.model.errors import IdentifierMismatch
from dicom_nodes.model.instance import StoredObject
from dicom_nodes.model.query import Match, QueryLevel
from dicom_nodes.rules.query_identifier import CheckedQuery, RetrieveSelection
from dicom_nodes.spool.instances import OBJECT_COLUMNS, stored_instance, stored_objects
from dicom_nodes.spool.query_columns import AnswerShape, shape_of, worded
from dicom_nodes.spool.query_conditions import conditions
from dicom_nodes.spool.query_counts import counted
from dicom_nodes.spool.query_walks import Position, Walk, is_by_patient, walks
from dicom_nodes.spool.tables import patient_id_text, patient_issuer_text, study

FIRST_PAGE_ROWS, PAGE_ROWS = 200, 1000
_Patient = tuple[str, ...]


class StudyQuery:
    """Implements `flows.query.QueryCatalogue` and `flows.retrieve.RetrieveCatalogue`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, query: CheckedQuery, is_cancelled: Callable[[], bool] = lambda: False) -> Iterator[Match]:
        """Stream the matches of a query; end early once `is_cancelled` says so.

        Where the Patient ID is a key its issuer is answered too: the same number may stand for two patients.
        """
        shape, patients = shape_of(query), _Patients()
        for walk in walks(query, self._last_study_key):
            step = _Step(query, walk, shape)
            position: Position | None = None
            limit = FIRST_PAGE_ROWS
            while not is_cancelled():
                rows, found = self._page(step, position, limit)
                for patient, values in found:
                    if query.level is not QueryLevel.PATIENT or patients.is_new(patient, is_by_patient(walk)):
                        yield worded(values)
                if len(rows) < limit:
                    break
                position, limit = step.position(rows[-1]), PAGE_ROWS
            if is_cancelled():
                return

    def select(self, selection: RetrieveSelection) -> Sequence[StoredObject]:
        """The instances under the unique keys.

        Raises:
            IdentifierMismatch: the Patient ID alone stands for patients of several issuers.
        """
        with self._database.read() as connection:
            _require_one_issuer(selection, connection)
            return stored_objects(connection.execute(_selection_statement(selection)))

    def _page(
        self, step: "_Step", position: Position | None, limit: int
    ) -> tuple[Sequence[Row[Any]], list[tuple[_Patient, dict[str, str]]]]:
        """A page of rows, and the patient and values of each that matches."""
        with self._database.read() as connection:
            rows = connection.execute(step.statement(position, limit)).all()
            kept = [(row, values) for row in rows if (values := step.values(row)) is not None]
            if step.shape.counted:
                step.count(connection, kept)
        late = step.shape.late_tests
        met = [(row, values) for row, values in kept if all(test(values[keyword]) for keyword, test in late)]
        return rows, [(step.patient(row), values) for row, values in met]

    def _last_study_key(self) -> int:
        with self._database.read() as connection:
            return connection.execute(select(func.max(study.c.study_key))).scalar_one() or 0


class _Step:
    """One walk of a query as a statement, and its rows taken apart: position, present, patient, values."""

    def __init__(self, query: CheckedQuery, walk: Walk, shape: AnswerShape) -> None:
        self.shape, self._walk = shape, walk
        self._identity: tuple[Any, ...] = (patient_id_text, patient_issuer_text, study.c.study_instance_uid)
        if not shape.counted and query.level is not QueryLevel.PATIENT:
            self._identity = ()
        columns = (*walk.order, *walk.present, *self._identity, *shape.columns)
        self._ends = len(walk.order), len(walk.order) + len(walk.present)
        self._values_from = self._ends[1] + len(self._identity)
        named = [column.label(f"c{number}") for number, column in enumerate(columns)]
        met = conditions(query, walk.covered)
        self._statement = select(*named).select_from(walk.source).where(walk.condition, *met).order_by(*walk.order)

    def statement(self, behind: Position | None, limit: int) -> Select[Any]:
        statement = self._statement.limit(limit)
        if behind is None:
            return statement
        order = self._walk.order
        last = [bindparam(None, value, type_=column.type) for column, value in zip(order, behind, strict=True)]
        tables = {id(table) for column in order for table in column._from_objects}
        if len(tables) > 1:  # an index of one table knows only its own part of the position
            first = [n for n, column in enumerate(order) if column._from_objects == order[0]._from_objects]
            statement = statement.where(tuple_(*(order[n] for n in first)) >= tuple_(*(last[n] for n in first)))
        return statement.where(tuple_(*order) > tuple_(*last))

    def position(self, row: Row[Any]) -> Position:
        return tuple(row[: self._ends[0]])

    def patient(self, row: Row[Any]) -> _Patient:
        """A patient is (id, issuer); a study without an id is nobody else's."""
        if not self._identity:
            return ()
        patient_id, issuer, study_instance_uid = row[self._ends[1] : self._values_from]
        return (patient_id, issuer) if patient_id else ("", "", study_instance_uid)

    def values(self, row: Row[Any]) -> dict[str, str] | None:
        takes = self._walk.takes
        if takes is not None and not takes(tuple(row[self._ends[0] : self._ends[1]])):
            return None
        return self.shape.values(row[self._values_from :])

    def count(self, connection: Connection, rows: Sequence[tuple[Row[Any], dict[str, str]]]) -> None:
        """Add what no row holds to the values of each."""
        identities = [tuple(row[self._ends[1] : self._values_from]) for row, _ in rows]
        for (_, values), counts in zip(rows, counted(connection, self.shape.counted, identities), strict=True):
            values.update(counts)


class _Patients:
    """Which patients were answered: all of them, unless their studies follow each other."""

    def __init__(self) -> None:
        self._seen: set[_Patient] = set()

    def is_new(self, patient: _Patient, follow_each_other: bool) -> bool:
        if patient in self._seen:
            return False
        if follow_each_other:
            self._seen.clear()
        self._seen.add(patient)
        return True


def _selection_statement(selection: RetrieveSelection) -> Select[Any]:
    columns = stored_instance.c
    statement = select(*OBJECT_COLUMNS)
    if selection.patient_id is not None:
        statement = statement.join(study, study.c.study_instance_uid == columns.study_instance_uid)
        statement = statement.where(patient_id_text == selection.patient_id)
        if selection.patient_id_issuer is not None:
            statement = statement.where(patient_issuer_text == selection.patient_id_issuer)
    for column, uids in (
        (columns.study_instance_uid, selection.study_instance_uids),
        (columns.series_instance_uid, selection.series_instance_uids),
        (columns.sop_instance_uid, selection.sop_instance_uids),
    ):
        if uids:
            statement = statement.where(column.in_(uids))
    return statement.order_by(columns.study_instance_uid, columns.series_instance_uid, columns.sop_instance_uid)


def _require_one_issuer(selection: RetrieveSelection, connection: Connection) -> None:
    if selection.patient_id is None or selection.patient_id_issuer is not None or selection.study_instance_uids:
        return
    statement = select(patient_issuer_text).where(patient_id_text == selection.patient_id).distinct()
    if len(connection.execute(statement).all()) > 1:
        raise IdentifierMismatch("several issuers use this Patient ID: name Issuer of Patient ID")
