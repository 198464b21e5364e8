"""Studies and their revisions in the database."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, func, insert, or_, select, update

from dicom_nodes.contract import Manifest, StudySettled
from dicom_nodes.foundation.nhs_number import is_nhs_number
from router.model.study import PatientKey, Study, StudyRevision
from router.store import tables as t
from router.store.manifests import SqlManifests
from router.store.memo import UNKNOWN, Kind, Memo
from router.store.patients import SqlImagingOrders

_ONE = select(t.study).where(t.study.c.study_instance_uid == bindparam("uid"))
_LOCKED = _ONE.with_for_update()
_BY_ACCESSION = (
    select(t.study)
    .where(t.study.c.accession_number == bindparam("number"))
    .order_by(t.study.c.origin, t.study.c.study_instance_uid)
)
_BY_QUALIFIED_ACCESSION = _BY_ACCESSION.where(t.study.c.accession_issuer == bindparam("issuer"))
_OF_UIDS = select(t.study).where(t.study.c.study_instance_uid.in_(bindparam("uids", expanding=True)))
_BY_ACCESSIONS = (
    select(t.study)
    .where(t.study.c.accession_number.in_(bindparam("numbers", expanding=True)))
    .order_by(t.study.c.origin, t.study.c.study_instance_uid)
)
_ADD, _ADD_REVISION = insert(t.study), insert(t.study_revision)


class SqlStudies:
    def __init__(self, connection: Connection, manifests: SqlManifests, memo: Memo) -> None:
        self._connection, self._memo = connection, memo
        self._manifests = manifests

    def get(self, study_instance_uid: str, *, lock: bool = False) -> Study | None:
        query = _LOCKED if lock else _ONE
        return self._memo.of(Kind.STUDY, study_instance_uid, lambda: self._one(query, study_instance_uid))

    def _one(self, query: Select[Any], study_instance_uid: str) -> Study | None:
        row = self._connection.execute(query, {"uid": study_instance_uid}).one_or_none()
        return None if row is None else self._study(row)

    def by_accession(self, accession_number: str, issuer: str | None = None) -> Sequence[Study]:
        query, named = _BY_ACCESSION, {"number": accession_number}
        if issuer is None:
            return self._all(query, named)
        query, named = _BY_QUALIFIED_ACCESSION, named | {"issuer": issuer}
        return self._memo.of(Kind.STUDIES_OF_ACCESSION, (accession_number, issuer), lambda: self._all(query, named))

    def _all(self, query: Select[Any], named: dict[str, Any]) -> tuple[Study, ...]:
        rows = self._connection.execute(query, named).all()
        return tuple(self._known(row) or self._study(row) for row in rows)

    def _known(self, row: Row[Any]) -> Study | None:
        found = self._memo.get(Kind.STUDY, row.study_instance_uid)
        return None if found is UNKNOWN else found

    def foresee(self, study_instance_uids: Sequence[str], accessions: Sequence[tuple[str, str]]) -> None:
        """Read these, and those of these (number, issuer), together."""
        uids = self._memo.unknown(Kind.STUDY, study_instance_uids)
        if uids:
            found = {study.study_instance_uid: study for study in self._all(_OF_UIDS, {"uids": uids})}
            for uid in uids:
                self._memo.put(Kind.STUDY, uid, found.get(uid))
        pairs = [pair for pair in accessions if self._memo.get(Kind.STUDIES_OF_ACCESSION, pair) is UNKNOWN]
        if pairs:
            theirs: dict[tuple[str | None, str | None], list[Study]] = {pair: [] for pair in pairs}
            for study in self._all(_BY_ACCESSIONS, {"numbers": [number for number, _ in pairs]}):
                pair = (study.accession_number, study.accession_issuer)
                if pair in theirs:  # others have one of the numbers by another issuer
                    theirs[pair].append(study)
            for known, studies in theirs.items():
                self._memo.put(Kind.STUDIES_OF_ACCESSION, known, tuple(studies))

    def of_patient(self, origin: str, issuer: str, patient_id: str) -> Sequence[Study]:
        s = t.study.c
        as_made = and_(s.present_patient_id.is_(None), s.patient_id == patient_id, s.patient_issuer == issuer)
        at_present = and_(s.present_patient_id == patient_id, s.present_issuer == issuer)
        query = select(t.study).where(s.origin == origin, or_(as_made, at_present)).order_by(s.study_instance_uid)
        query = query.with_for_update(key_share=True)  # a report that refers to the study meanwhile waits for no change
        return [self._study(row) for row in self._connection.execute(query).all()]

    def _study(self, row: Row[Any]) -> Study:
        """With the order that it has joined."""
        study = _study(row)
        if not row.order_joined:
            return study
        order = SqlImagingOrders(self._connection, self._memo).get(row.accession_issuer, row.accession_number)
        return replace(study, order=order)

    def possibly_of(self, patient: PatientKey, limit: int) -> Sequence[Study]:
        c, theirs = t.study.c, []
        if patient.nhs_number and is_nhs_number(patient.nhs_number):
            theirs.append(c.nhs_number == patient.nhs_number)
        if patient.issuer and patient.patient_id:
            theirs.append(and_(c.patient_id == patient.patient_id, c.patient_issuer == patient.issuer))
            theirs.append(and_(c.present_patient_id == patient.patient_id, c.present_issuer == patient.issuer))
        if not theirs:
            return []
        query = select(t.study).where(or_(*theirs)).order_by(c.study_time.desc(), c.study_instance_uid).limit(limit)
        return [self._study(row) for row in self._connection.execute(query).all()]

    def of_same_person(self, patient: PatientKey) -> Sequence[Study]:
        s = t.study.c
        keys = []
        if patient.issuer is not None and patient.patient_id is not None:
            keys.append(and_(s.patient_issuer == patient.issuer, s.patient_id == patient.patient_id))
            keys.append(and_(s.present_issuer == patient.issuer, s.present_patient_id == patient.patient_id))
        if patient.nhs_number is not None and patient.birth_date is not None:
            keys.append(and_(s.nhs_number == patient.nhs_number, s.birth_date == patient.birth_date))
        if not keys:
            return []
        query = select(t.study).where(or_(*keys)).order_by(s.study_instance_uid)
        return [self._study(row) for row in self._connection.execute(query).all()]

    def add(self, study: Study) -> None:
        self._memo.forget(Kind.STUDY, Kind.STUDIES_OF_ACCESSION)
        values = {"study_instance_uid": study.study_instance_uid, "origin": study.origin, **_identity(study)}
        self._connection.execute(_ADD, values | _revisable(study))

    def revise(self, study: Study) -> None:
        self._memo.forget(Kind.STUDY, Kind.STUDIES_OF_ACCESSION)
        this = t.study.c.study_instance_uid == study.study_instance_uid
        values = {**_identity(study), **_revisable(study)}
        self._connection.execute(update(t.study).where(this).values(**values))

    def add_revision(self, settled: StudySettled, at: datetime) -> None:
        values = {
            "study_instance_uid": settled.study.study_instance_uid,
            "revision": settled.revision,
            "manifest": settled.manifest.model_dump(mode="json"),
            "manifest_digest": settled.manifest.digest,
            "instance_count": len(settled.manifest.entries),
            "settled_at": at,
        }
        self._connection.execute(_ADD_REVISION, values)
        self._manifests.keep(settled.study.study_instance_uid, settled.revision, settled.manifest)

    def revision(self, study_instance_uid: str, revision: int) -> StudyRevision | None:
        r = t.study_revision
        query = select(r).where(r.c.study_instance_uid == study_instance_uid, r.c.revision == revision)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return None
        return StudyRevision(
            row.study_instance_uid,
            row.revision,
            row.manifest,
            row.manifest_digest,
            row.instance_count,
            row.settled_at,
        )

    def manifest(self, study_instance_uid: str, revision: int) -> Manifest:
        return self._manifests.get(study_instance_uid, revision)

    def settled_between(self, start: datetime, end: datetime, limit: int) -> Sequence[tuple[datetime, Study]]:
        r = t.study_revision.c
        within = (r.settled_at >= start, r.settled_at < end)
        # A study counts when it first settled: its revisions before the period are looked up by its key.
        earlier = t.study_revision.alias()
        is_first = ~(
            select(earlier.c.revision)
            .where(earlier.c.study_instance_uid == r.study_instance_uid, earlier.c.settled_at < start)
            .exists()
        )
        first = (
            select(r.study_instance_uid, func.min(r.settled_at).label("at"))
            .where(*within, is_first)
            .group_by(r.study_instance_uid)
            .order_by(func.min(r.settled_at).desc(), r.study_instance_uid)
            .limit(limit)
            .subquery()
        )
        query = select(t.study, first.c.at.label("first_settled_at")).join(
            first, first.c.study_instance_uid == t.study.c.study_instance_uid
        )
        rows = self._connection.execute(query.order_by(first.c.at, t.study.c.study_instance_uid)).all()
        return [(row.first_settled_at, self._study(row)) for row in rows]


def _identity(study: Study) -> dict[str, Any]:
    patient, present = study.patient, study.present_patient
    return {
        "order_joined": study.order is not None,
        "present_issuer": present and present.issuer,
        "present_patient_id": present and present.patient_id,
        "present_nhs_number": present and present.nhs_number,
        "present_birth_date": present and present.birth_date,
        "accession_number": study.accession_number,
        "accession_issuer": study.accession_issuer,
        "patient_issuer": patient.issuer,
        "patient_id": patient.patient_id,
        "nhs_number": patient.nhs_number,
        "birth_date": patient.birth_date,
    }


def _revisable(study: Study) -> dict[str, Any]:
    return {
        "revision": study.revision,
        "modalities": list(study.modalities),
        "description": study.description,
        "exam_code": None if study.exam_code is None else list(study.exam_code),
        "body_part": study.body_part,
        "study_time": study.study_time,
    }


def _study(row: Row[Any]) -> Study:
    code = row.exam_code
    return Study(
        study_instance_uid=row.study_instance_uid,
        origin=row.origin,
        accession_number=row.accession_number,
        accession_issuer=row.accession_issuer,
        patient=PatientKey(row.patient_issuer, row.patient_id, row.nhs_number, row.birth_date),
        revision=row.revision,
        modalities=tuple(row.modalities),
        description=row.description,
        exam_code=None if code is None else (code[0], code[1], code[2]),
        body_part=row.body_part,
        study_time=row.study_time,
        present_patient=_present(row),
    )


def _present(row: Row[Any]) -> PatientKey | None:
    if row.present_patient_id is None:
        return None
    return PatientKey(row.present_issuer, row.present_patient_id, row.present_nhs_number, row.present_birth_date)
