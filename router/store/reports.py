"""Reports in the database; a report's text is never changed."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC
from typing import Any

from sqlalchemy import Row, Select, and_, bindparam, or_, select, update

from dicom_nodes.foundation.inserts import unless_there
from router.model.errors import Conflict
from router.model.report import AlertCode, Disposition, Report, ReportAuthor, ReportSection
from router.model.study import PatientKey
from router.store import tables as t
from router.store.memo import UNKNOWN, Kind, Memo
from router.store.unwritten import Place, Unwritten

_ONE = select(t.report).where(t.report.c.id == bindparam("of_report"))
_LOCKED = _ONE.with_for_update()
_OF_STUDY = (
    select(t.report).where(t.report.c.study_instance_uid == bindparam("of_study")).order_by(t.report.c.received_at)
)
_SETTLED = ("disposition", "study_instance_uid", "read_id", "version", "reasons")
_SETTLE = (
    update(t.report)
    .where(t.report.c.id == bindparam("of_report"))
    .values({name: bindparam(name, type_=t.report.c[name].type) for name in _SETTLED})
)
_OF_STUDIES = (
    select(t.report)
    .where(t.report.c.study_instance_uid.in_(bindparam("of_studies", expanding=True)))
    .order_by(t.report.c.received_at)
)
_THESE = select(t.report).where(t.report.c.id.in_(bindparam("these", expanding=True)))


class SqlReports:
    def __init__(self, connection: Unwritten, memo: Memo) -> None:
        self._connection, self._memo = connection, memo

    def get(self, report_id: str, *, lock: bool = False) -> Report | None:
        query = _LOCKED if lock else _ONE
        return self._memo.of(Kind.REPORT, report_id, lambda: self._one(query, report_id))

    def _one(self, query: Select[Any], report_id: str) -> Report | None:
        row = self._connection.execute(query, {"of_report": report_id}).one_or_none()
        return None if row is None else _report(row)

    def add(self, report: Report) -> bool:
        patient = report.patient
        values = {
            "id": report.id,
            "node": report.node,
            "channel": report.channel,
            "study_instance_uid": report.study_instance_uid,
            "accession_number": report.accession_number,
            "accession_issuer": report.accession_issuer,
            "patient_issuer": patient.issuer,
            "patient_id": patient.patient_id,
            "nhs_number": patient.nhs_number,
            "birth_date": patient.birth_date,
            "status": report.status,
            "text": report.text,
            "registration": report.registration,
            "author_name": report.author_name,
            "authored_at": report.authored_at,
            "received_at": report.received_at,
            "original_reference": report.original_reference,
            "original_digest": report.original_digest,
            "transaction_uid": report.transaction_uid,
            "disposition": report.disposition,
            "read_id": report.read_id,
            "version": report.version,
            "reasons": list(report.reasons),
            "sections": [asdict(section) for section in report.sections],
            "authors": [asdict(author) for author in report.authors],
            "addendum": report.addendum,
            "alert_codes": [asdict(code) for code in report.alert_codes],
        }
        add = unless_there(t.report, tuple(values))
        if self._memo.get(Kind.REPORT, report.id) is None:  # known not to be there
            self._connection.put(Place.REPORT, report.id, add, values)
            self._note(None, _as_kept(report))
            return True
        self._forget(report.id)
        return self._connection.execute_noted(add, values).rowcount == 1

    def _forget(self, report_id: str) -> None:
        """A delivery is listed with its report's version and status."""
        self._memo.forget_one(Kind.REPORT, report_id)
        self._memo.forget(Kind.REPORTS_OF_STUDY, Kind.DELIVERIES_OF_STUDY)

    def _note(self, before: Report | None, report: Report) -> None:
        """Where nothing but the report itself is other than before, its studies are not read again."""
        self._memo.put(Kind.REPORT, report.id, report)
        uid = report.study_instance_uid
        if before is None:
            others = self._memo.get(Kind.REPORTS_OF_STUDY, uid)
            last = self._memo.get(Kind.REPORT, others[-1]) if others is not UNKNOWN and others else None
            if last is not None and (last is UNKNOWN or last.received_at > report.received_at):
                self._memo.forget_one(Kind.REPORTS_OF_STUDY, uid)
            elif others is not UNKNOWN:
                self._memo.put(Kind.REPORTS_OF_STUDY, uid, (*others, report.id))
        elif before.study_instance_uid != uid:
            for study in (before.study_instance_uid, uid):
                self._memo.forget_one(Kind.REPORTS_OF_STUDY, study)
                self._memo.forget_one(Kind.DELIVERIES_OF_STUDY, study)
        elif self._memo.get(Kind.DELIVERIES_OF_STUDY, uid) != ():
            self._memo.forget_one(Kind.DELIVERIES_OF_STUDY, uid)

    def settle(self, report: Report) -> None:
        values = {
            "disposition": report.disposition,
            "study_instance_uid": report.study_instance_uid,
            "read_id": report.read_id,
            "version": report.version,
            "reasons": list(report.reasons),
        }
        before = self._memo.get(Kind.REPORT, report.id)
        if before is UNKNOWN or before is None:
            self._forget(report.id)
            self._connection.execute_noted(_SETTLE, {"of_report": report.id, **values})
            return
        _stays_accepted(before, report)
        added = self._connection.waiting(Place.REPORT, report.id)
        if added is not None:
            self._connection.put(Place.REPORT, report.id, unless_there(t.report, tuple(added)), added | values)
        else:
            self._connection.put(Place.REPORT_SETTLED, report.id, _SETTLE, {"of_report": report.id, **values})
        settled = {name: getattr(report, name) for name in _SETTLED}
        self._note(before, replace(before, **settled))

    def of_study(self, study_instance_uid: str) -> Sequence[Report]:
        ids = self._memo.get(Kind.REPORTS_OF_STUDY, study_instance_uid)
        known = [self._memo.get(Kind.REPORT, report_id) for report_id in ids] if ids is not UNKNOWN else [UNKNOWN]
        if UNKNOWN not in known:
            return known
        rows = self._connection.execute(_OF_STUDY, {"of_study": study_instance_uid})
        reports = [_report(row) for row in rows]
        self._note_study(study_instance_uid, reports)
        return reports

    def _note_study(self, study_instance_uid: str, reports: Sequence[Report]) -> None:
        self._memo.put(Kind.REPORTS_OF_STUDY, study_instance_uid, tuple(report.id for report in reports))
        for report in reports:
            self._memo.put(Kind.REPORT, report.id, report)

    def foresee(self, study_instance_uids: Sequence[str], report_ids: Sequence[str]) -> None:
        """Read those of these studies, and these, together."""
        uids = self._memo.unknown(Kind.REPORTS_OF_STUDY, study_instance_uids)
        if uids:
            of_study: dict[str, list[Report]] = {uid: [] for uid in uids}
            for row in self._connection.execute(_OF_STUDIES, {"of_studies": uids}):
                of_study[row.study_instance_uid].append(_report(row))
            for uid, reports in of_study.items():
                self._note_study(uid, reports)
        ids = self._memo.unknown(Kind.REPORT, report_ids)
        if ids:
            found = {row.id: _report(row) for row in self._connection.execute(_THESE, {"these": ids})}
            for report_id in ids:
                self._memo.put(Kind.REPORT, report_id, found.get(report_id))

    def listing(self, disposition: Disposition | None, after: str | None, limit: int) -> Sequence[Report]:
        r = t.report
        query = select(r).order_by(r.c.received_at, r.c.id).limit(limit)
        if disposition is not None:
            query = query.where(r.c.disposition == disposition)
        if after is not None:
            last = select(r.c.received_at).where(r.c.id == after).scalar_subquery()
            query = query.where(or_(r.c.received_at > last, and_(r.c.received_at == last, r.c.id > after)))
        return [_report(row) for row in self._connection.execute(query)]


def _stays_accepted(before: Report, after: Report) -> None:
    """What the table's trigger keeps, of rows that it does not see one by one.

    Raises:
        Conflict: the report was accepted, and would be something else.
    """
    if before.disposition is not Disposition.ACCEPTED:
        return
    whose = ("study_instance_uid", "disposition", "read_id")
    is_kept = all(getattr(before, name) == getattr(after, name) for name in whose)
    goes_home = before.version is None and after.version is not None
    says_why = tuple(before.reasons) == tuple(after.reasons) or goes_home
    if not (is_kept and says_why) or before.version not in {None, after.version}:
        raise Conflict("an accepted report never changes")


def _as_kept(report: Report) -> Report:
    """As it is read again: times in UTC."""
    if report.authored_at.tzinfo is UTC and report.received_at.tzinfo is UTC:
        return report
    authored_at, received_at = report.authored_at.astimezone(UTC), report.received_at.astimezone(UTC)
    return replace(report, authored_at=authored_at, received_at=received_at)


def _report(row: Row[Any]) -> Report:
    return Report(
        id=row.id,
        node=row.node,
        channel=row.channel,
        study_instance_uid=row.study_instance_uid,
        accession_number=row.accession_number,
        accession_issuer=row.accession_issuer,
        patient=PatientKey(row.patient_issuer, row.patient_id, row.nhs_number, row.birth_date),
        status=row.status,
        text=row.text,
        registration=row.registration,
        author_name=row.author_name,
        authored_at=row.authored_at,
        received_at=row.received_at,
        original_reference=row.original_reference,
        original_digest=row.original_digest,
        transaction_uid=row.transaction_uid,
        disposition=Disposition(row.disposition),
        read_id=row.read_id,
        version=row.version,
        reasons=tuple(row.reasons),
        sections=tuple(ReportSection(**section) for section in row.sections),
        authors=tuple(ReportAuthor(**author) for author in row.authors),
        addendum=row.addendum,
        alert_codes=tuple(AlertCode(**code) for code in row.alert_codes),
    )
