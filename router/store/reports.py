"""Reports in the database; a report's text is never changed."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, or_, select, update

from dicom_nodes.foundation.inserts import inserted_unless_there
from router.model.report import AlertCode, Disposition, Report, ReportAuthor, ReportSection
from router.model.study import PatientKey
from router.store import tables as t
from router.store.memo import Kind, Memo

_ONE = select(t.report).where(t.report.c.id == bindparam("of_report"))
_LOCKED = _ONE.with_for_update()
_OF_STUDY = (
    select(t.report).where(t.report.c.study_instance_uid == bindparam("of_study")).order_by(t.report.c.received_at)
)
_SETTLE = update(t.report).where(t.report.c.id == bindparam("of_report"))


class SqlReports:
    def __init__(self, connection: Connection, memo: Memo) -> None:
        self._connection, self._memo = connection, memo

    def get(self, report_id: str, *, lock: bool = False) -> Report | None:
        for _, reports in self._memo.known(Kind.REPORTS_OF_STUDY):
            known: Report | None = next((one for one in reports if one.id == report_id), None)
            if known is not None:
                return known
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
        self._forget()
        return inserted_unless_there(self._connection, t.report, values)

    def _forget(self) -> None:
        """A delivery is listed with its report's version and status."""
        self._memo.forget(Kind.REPORT, Kind.REPORTS_OF_STUDY, Kind.DELIVERIES_OF_STUDY)

    def settle(self, report: Report) -> None:
        values = {
            "disposition": report.disposition,
            "study_instance_uid": report.study_instance_uid,
            "read_id": report.read_id,
            "version": report.version,
            "reasons": list(report.reasons),
        }
        self._forget()
        self._connection.execute(_SETTLE, {"of_report": report.id, **values})

    def of_study(self, study_instance_uid: str) -> Sequence[Report]:
        return self._memo.of(Kind.REPORTS_OF_STUDY, study_instance_uid, lambda: self._of_study(study_instance_uid))

    def _of_study(self, study_instance_uid: str) -> tuple[Report, ...]:
        return tuple(_report(row) for row in self._connection.execute(_OF_STUDY, {"of_study": study_instance_uid}))

    def listing(self, disposition: Disposition | None, after: str | None, limit: int) -> Sequence[Report]:
        r = t.report
        query = select(r).order_by(r.c.received_at, r.c.id).limit(limit)
        if disposition is not None:
            query = query.where(r.c.disposition == disposition)
        if after is not None:
            last = select(r.c.received_at).where(r.c.id == after).scalar_subquery()
            query = query.where(or_(r.c.received_at > last, and_(r.c.received_at == last, r.c.id > after)))
        return [_report(row) for row in self._connection.execute(query)]


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
