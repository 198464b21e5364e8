"""Changes of patients that wait for two persons, in the database."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import date
from typing import Any

from sqlalchemy import JSON, Column, Connection, ForeignKey, Row, String, Table, Text, bindparam, select, update

from dicom_nodes.foundation.database import UtcDateTime
from dicom_nodes.foundation.inserts import inserted_unless_there
from router.model.patient_conflict import PatientConflict
from router.model.study_identity import PatientKey
from router.store.memo import Kind, Memo
from router.store.tables import metadata

_IDENTITIES = ("study_patient", "present", "prior")

patient_conflict = Table(
    "patient_conflict",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("key", Text, nullable=False, comment="of its human-queue item"),
    Column("study_instance_uid", String(64), ForeignKey("study.study_instance_uid"), nullable=False, index=True),
    Column("origin", String(6), nullable=False),
    Column("how", String(10), nullable=False),
    Column("reason", Text, nullable=False),
    Column("study_patient", JSON, nullable=False),
    Column("present", JSON, nullable=False),
    Column("prior", JSON(none_as_null=True)),
    Column("told_at", UtcDateTime, nullable=False),
    Column("proposed_by", Text),
    Column("proposed_at", UtcDateTime),
    Column("proposed_why", Text),
    Column("decided", String(10)),
    Column("decided_by", Text),
    Column("decided_at", UtcDateTime),
)

_C = patient_conflict.c
_UNDECIDED = select(_C.id).where(_C.study_instance_uid == bindparam("of_study"), _C.decided.is_(None)).limit(1)
_UNDECIDED_OF = select(_C.study_instance_uid).where(
    _C.study_instance_uid.in_(bindparam("of_studies", expanding=True)), _C.decided.is_(None)
)


class SqlPatientConflicts:
    def __init__(self, connection: Connection, memo: Memo) -> None:
        self._connection, self._memo = connection, memo

    def add(self, conflict: PatientConflict) -> None:
        inserted_unless_there(self._connection, patient_conflict, _values(conflict))

    def get(self, conflict_id: str, *, lock: bool = False) -> PatientConflict | None:
        query = select(patient_conflict).where(patient_conflict.c.id == conflict_id)
        row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _conflict(row)

    def undecided(self) -> Sequence[PatientConflict]:
        t = patient_conflict.c
        query = select(patient_conflict).where(t.decided.is_(None)).order_by(t.told_at, t.id)
        return [_conflict(row) for row in self._connection.execute(query)]

    def is_undecided(self, study_instance_uid: str) -> bool:
        def found() -> bool:
            return self._connection.execute(_UNDECIDED, {"of_study": study_instance_uid}).first() is not None

        return self._memo.of(Kind.PATIENT_IN_DOUBT_OF_STUDY, study_instance_uid, found)

    def foresee(self, study_instance_uids: Sequence[str]) -> None:
        """See of these studies together who waits for two persons."""
        uids = self._memo.unknown(Kind.PATIENT_IN_DOUBT_OF_STUDY, study_instance_uids)
        if uids:
            doubted = set(self._connection.execute(_UNDECIDED_OF, {"of_studies": uids}).scalars())
            for uid in uids:
                self._memo.put(Kind.PATIENT_IN_DOUBT_OF_STUDY, uid, uid in doubted)

    def of_origin(self, origin: str) -> Sequence[PatientConflict]:
        t = patient_conflict.c
        query = select(patient_conflict).where(t.origin == origin).order_by(t.told_at, t.id)
        return [_conflict(row) for row in self._connection.execute(query)]

    def put(self, conflict: PatientConflict) -> None:
        table = patient_conflict
        self._connection.execute(update(table).where(table.c.id == conflict.id).values(**_values(conflict)))


def _values(conflict: PatientConflict) -> dict[str, Any]:
    values = {field.name: getattr(conflict, field.name) for field in fields(PatientConflict)}
    return {**values, **{name: _json(values[name]) for name in _IDENTITIES}}


def _json(key: PatientKey | None) -> dict[str, Any] | None:
    if key is None:
        return None
    return {**asdict(key), "birth_date": key.birth_date.isoformat() if key.birth_date else None}


def _conflict(row: Row[Any]) -> PatientConflict:
    return PatientConflict(**{**row._mapping, **{name: _key(row._mapping[name]) for name in _IDENTITIES}})


def _key(said: dict[str, Any] | None) -> PatientKey | None:
    if said is None:
        return None
    born = said["birth_date"]
    return PatientKey(**{**said, "birth_date": date.fromisoformat(born) if born else None})
