"""Deliveries in the database: one row for each channel of each version of a report."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, exists, func, or_, select, update

from router.model.delivery import Delivery, DeliveryState, ListedDelivery
from router.model.report import Report
from router.model.study import Study
from router.store import tables as t
from router.store.memo import UNKNOWN, Kind, Memo
from router.store.statements import upserting
from router.store.unwritten import Place, Unwritten

_KEYS = ("report_id", "channel")


class SqlDeliveries:
    def __init__(self, connection: Unwritten, memo: Memo) -> None:
        self._connection, self._memo = connection, memo

    def put(self, delivery: Delivery) -> None:
        values = {
            "report_id": delivery.report_id,
            "channel": delivery.channel,
            "order_id": delivery.order_id,
            "state": delivery.state,
            "updated_at": delivery.updated_at,
            "code": delivery.code,
            "reference": delivery.reference,
            "queued_at": delivery.queued_at or delivery.updated_at,
            "words": delivery.words,
            "note": delivery.note,
        }
        key = (delivery.report_id, delivery.channel)
        self._connection.put(Place.DELIVERY, key, upserting(t.delivery, _KEYS, tuple(values)), values)
        self._note(replace(delivery, queued_at=delivery.queued_at or delivery.updated_at))

    def _note(self, delivery: Delivery) -> None:
        """Put it in the place of what is known of it; where that cannot be told, the study is asked for again."""
        self._memo.forget_one(Kind.DELIVERIES_OF_REPORT, delivery.report_id)
        report, study, listed = self._listed_with(delivery.report_id)
        if report is None:
            self._memo.forget(Kind.DELIVERIES_OF_STUDY)
        elif study is None or listed is None or report.version is None:
            self._memo.forget_one(Kind.DELIVERIES_OF_STUDY, report.study_instance_uid)
        else:
            mine = ListedDelivery(
                delivery,
                study.origin,
                study.study_instance_uid,
                report.read_id,
                report.version,
                report.status,
                report.addendum,
            )
            others = [one for one in listed if _key(one.delivery) != _key(delivery)]
            noted = tuple(sorted([*others, mine], key=_place))
            self._memo.put(Kind.DELIVERIES_OF_STUDY, study.study_instance_uid, noted)

    def _listed_with(self, report_id: str) -> tuple[Report | None, Study | None, Sequence[ListedDelivery] | None]:
        """The report, its study, and that study's deliveries, as far as they are known."""
        report = self._memo.get(Kind.REPORT, report_id)
        if report is UNKNOWN or report is None or report.study_instance_uid is None:
            return None, None, None
        study = self._memo.get(Kind.STUDY, report.study_instance_uid)
        listed = self._memo.get(Kind.DELIVERIES_OF_STUDY, report.study_instance_uid)
        return report, None if study is UNKNOWN else study, None if listed is UNKNOWN else listed

    def of_report(self, report_id: str) -> Sequence[Delivery]:
        _, study, listed = self._listed_with(report_id)
        if study is not None and listed is not None:
            mine = (one.delivery for one in listed if one.delivery.report_id == report_id)
            return sorted(mine, key=lambda delivery: delivery.channel)
        return self._memo.of(Kind.DELIVERIES_OF_REPORT, report_id, lambda: self._of_report(report_id))

    def foresee(self, study_instance_uids: Sequence[str]) -> None:
        """Read those of these studies together."""
        uids = self._memo.unknown(Kind.DELIVERIES_OF_STUDY, study_instance_uids)
        if not uids:
            return
        of_study: dict[str, list[ListedDelivery]] = {uid: [] for uid in uids}
        for row in self._connection.execute(_OF_STUDIES, {"of_studies": uids}):
            of_study[row.study_instance_uid].append(_one_listed(row))
        for uid, listed in of_study.items():
            self._memo.put(Kind.DELIVERIES_OF_STUDY, uid, tuple(listed))

    def _of_report(self, report_id: str) -> tuple[Delivery, ...]:
        return tuple(_delivery(row) for row in self._connection.execute(_OF_REPORT, {"of_report": report_id}))

    def of_study(self, study_instance_uid: str) -> Sequence[ListedDelivery]:
        return self._memo.of(Kind.DELIVERIES_OF_STUDY, study_instance_uid, lambda: self._of_study(study_instance_uid))

    def _of_study(self, study_instance_uid: str) -> tuple[ListedDelivery, ...]:
        rows = self._connection.execute(_OF_STUDY, {"of_study": study_instance_uid})
        return tuple(_one_listed(row) for row in rows)

    def listing(
        self, states: Collection[DeliveryState] = (), trust: str | None = None, limit: int | None = None
    ) -> Sequence[ListedDelivery]:
        conditions: list[Any] = [t.delivery.c.state.in_(list(states))] if states else []
        if trust is not None:
            conditions.append(t.study.c.origin == trust)
        return self._listed(*conditions, limit=limit)

    def overdue(self, states: Collection[DeliveryState], trust: str, at: datetime) -> Sequence[ListedDelivery]:
        d, q = t.delivery.c, t.human_queue.c
        asked = exists().where(
            q.kind == "phone_list", q.report_id == d.report_id, or_(q.resolved_at.is_(None), q.resolved_at > at)
        )
        return self._listed(d.state.in_(list(states)), t.study.c.origin == trust, d.queued_at <= at, ~asked)

    def mark_sent(self, order_ids: Collection[str], at: datetime) -> None:
        if not order_ids:
            return
        self._memo.forget(Kind.DELIVERIES_OF_REPORT, Kind.DELIVERIES_OF_STUDY)
        self._connection.execute_noted(_MARK_SENT, {"orders": list(order_ids), "updated_at": at})

    def _listed(self, *conditions: Any, limit: int | None = None) -> Sequence[ListedDelivery]:
        return [_one_listed(row) for row in self._connection.execute(_listing(*conditions, limit=limit))]


def _listing(*conditions: Any, limit: int | None = None) -> Select[Any]:
    d, r, s = t.delivery, t.report, t.study
    joined = d.join(r, r.c.id == d.c.report_id).join(s, s.c.study_instance_uid == r.c.study_instance_uid)
    queued = func.coalesce(d.c.queued_at, d.c.updated_at)
    return (
        select(d, r.c.version, r.c.status, r.c.addendum, r.c.read_id, s.c.study_instance_uid, s.c.origin)
        .select_from(joined)
        .where(*conditions)
        .order_by(r.c.version if limit is None else queued, queued, d.c.report_id, d.c.channel)
        .limit(limit)
    )


_OF_REPORT = select(t.delivery).where(t.delivery.c.report_id == bindparam("of_report")).order_by(t.delivery.c.channel)
_OF_STUDY = _listing(t.report.c.study_instance_uid == bindparam("of_study"))
_OF_STUDIES = _listing(t.report.c.study_instance_uid.in_(bindparam("of_studies", expanding=True)))
_MARK_SENT = (
    update(t.delivery)
    .where(t.delivery.c.order_id.in_(bindparam("orders", expanding=True)), t.delivery.c.state == DeliveryState.QUEUED)
    .values(state=DeliveryState.SENT, updated_at=bindparam("updated_at", type_=t.delivery.c.updated_at.type))
)


def _key(delivery: Delivery) -> tuple[str, str]:
    return delivery.report_id, delivery.channel


def _place(one: ListedDelivery) -> tuple[bool, int, datetime, str, str]:
    """Where a listing of a study has it: the same as `_listing` says to the database."""
    delivery = one.delivery
    queued_at = delivery.queued_at or delivery.updated_at
    return one.version is not None, one.version or 0, queued_at, delivery.report_id, delivery.channel


def _one_listed(row: Row[Any]) -> ListedDelivery:
    return ListedDelivery(
        _delivery(row), row.origin, row.study_instance_uid, row.read_id, row.version, row.status, row.addendum
    )


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        row.report_id,
        row.channel,
        row.order_id,
        DeliveryState(row.state),
        row.updated_at,
        row.code,
        row.reference,
        row.queued_at or row.updated_at,
        row.words,
        row.note,
    )
