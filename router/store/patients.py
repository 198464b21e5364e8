"""Merged numbers and imaging orders in the database."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, or_, select

from router.model.imaging_order import ImagingOrder
from router.model.study_identity import PatientKey
from router.store import tables as t
from router.store.memo import Kind, Memo
from router.store.statements import upsert


class SqlPatients:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def record_merge(self, origin: str, prior_id: str, present: PatientKey, at: datetime) -> None:
        values = {"origin": origin, "issuer": present.issuer or "", "prior_id": prior_id, "at": at}
        values["present_id"] = values["present_of"] = present.patient_id or ""
        values |= {"present_nhs_number": present.nhs_number, "present_birth_date": present.birth_date}
        upsert(self._connection, t.patient_merge, ["origin", "issuer", "prior_id"], values)

    def surviving_id(self, origin: str, issuer: str, patient_id: str) -> str:
        return self.path(origin, issuer, patient_id)[-1]

    def merges(self, origin: str, issuer: str, patient_id: str) -> Sequence[PatientKey]:
        m = t.patient_merge.c
        numbers, said = [patient_id], list[PatientKey]()
        while True:
            query = select(t.patient_merge).where(m.origin == origin, m.issuer == issuer, m.prior_id == numbers[-1])
            row = self._connection.execute(query).one_or_none()
            if row is None or row.present_id in numbers:
                return said
            numbers.append(row.present_id)
            said.append(_survivor(row))

    def merges_into(self, origin: str, issuer: str, patient_id: str) -> Mapping[str, PatientKey]:
        m = t.patient_merge.c
        query = select(t.patient_merge).where(m.origin == origin, m.issuer == issuer, m.present_id == patient_id)
        rows = self._connection.execute(query.order_by(m.prior_id).with_for_update())
        return {row.prior_id: _survivor(row) for row in rows}

    def path(self, origin: str, issuer: str, patient_id: str) -> Sequence[str]:
        return [patient_id, *(one.patient_id or "" for one in self.merges(origin, issuer, patient_id))]

    def forget_merge(self, origin: str, issuer: str, one_id: str, other_id: str) -> bool:
        m = t.patient_merge.c
        pairs = ((one_id, other_id), (other_id, one_id))
        joined = or_(*(and_(m.prior_id == prior, m.present_id == present) for prior, present in pairs))
        this = delete(t.patient_merge).where(m.origin == origin, m.issuer == issuer, joined)
        return self._connection.execute(this).rowcount > 0


def _survivor(row: Row[Any]) -> PatientKey:
    """Who it is by this merge; what a router of before 0070 has left of an earlier one does not count."""
    if row.present_of != row.present_id:
        return PatientKey(row.issuer, row.present_id)
    return PatientKey(row.issuer, row.present_id, row.present_nhs_number, row.present_birth_date)


class SqlImagingOrders:
    def __init__(self, connection: Connection, memo: Memo) -> None:
        self._connection, self._memo = connection, memo

    def get(self, issuer: str, number: str) -> ImagingOrder | None:
        o = t.imaging_order
        query = select(o).where(o.c.accession_issuer == issuer, o.c.accession_number == number)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else order_of(row._mapping)

    def put(self, order: ImagingOrder) -> None:
        values = {name: getattr(order, name) for name in ImagingOrder.__dataclass_fields__ if name != "patient"}
        patient = order.patient
        values |= {
            "patient_issuer": patient.issuer,
            "patient_id": patient.patient_id,
            "nhs_number": patient.nhs_number,
            "birth_date": patient.birth_date,
        }
        self._memo.forget(Kind.STUDY, Kind.STUDIES_OF_ACCESSION)  # which shows the order that it has joined
        upsert(self._connection, t.imaging_order, ["accession_issuer", "accession_number"], values)


def order_of(row: Any) -> ImagingOrder:
    """The order of a row that has the table's columns."""
    patient = PatientKey(row["patient_issuer"], row["patient_id"], row["nhs_number"], row["birth_date"])
    own = {name: row[name] for name in ImagingOrder.__dataclass_fields__ if name != "patient"}
    return ImagingOrder(patient=patient, **own)
