"""Write down what channels answered to reports: as many statements for several answers as for one.

A statement takes longer on its way to the database than what it asks for, and reports come by the hundred.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import BindParameter, ColumnElement, Connection, bindparam, func, insert, select, update

from dicom_nodes.contract import FactBody, OrderCompleted, ReportAcknowledged, ReturnChannel
from dicom_nodes.flows.return_ports import ReturnedAnswer
from dicom_nodes.foundation.jobs import Job, JobQueue, JobState
from dicom_nodes.rules.report_order import Filed
from dicom_nodes.spool import tables

RETURN_JOB = "return"
RECALLED = "OFF"
"""In place of a channel's answer: it is not to be sent any more."""

Answers = dict[str, dict[str, str]]
"""Order id → channel → what it answered, or that it was recalled."""
OfStudy = tuple[str, str]
"""Study Instance UID and channel."""

_CHANNELS = get_args(ReturnChannel)
"""Every channel that an order may name."""
_ANSWER, _FILED, _ORDER, _JOB = tables.returned_report, tables.filed_report, tables.order, tables.job
_BEGUN = tables.begun_version
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_ANSWERS = select(_ANSWER.c.order_id, _ANSWER.c.channel, _ANSWER.c.code).where(_ANSWER.c.order_id.in_(_IDS))
_LOCKED = (
    select(_ORDER.c.order_id, _ORDER.c.body)
    .where(_ORDER.c.order_id.in_(_IDS))
    .order_by(_ORDER.c.order_id)
    .with_for_update()
)
_UNFINISHED = select(_JOB.c.key).where(
    _JOB.c.kind == RETURN_JOB, _JOB.c.key.in_(bindparam("keys", expanding=True)), _JOB.c.state != JobState.DONE
)
_FILED_OF = select(_FILED).where(_FILED.c.study_instance_uid.in_(bindparam("uids", expanding=True)))
_BEGUN_OF = (
    select(_BEGUN.c.study_instance_uid, _BEGUN.c.channel, func.max(_BEGUN.c.version).label("version"))
    .where(_BEGUN.c.study_instance_uid.in_(bindparam("uids", expanding=True)))
    .group_by(_BEGUN.c.study_instance_uid, _BEGUN.c.channel)
)
_ADD_ANSWER, _ADD_FILED, _ADD_LOSSES = insert(_ANSWER), insert(_FILED), insert(tables.report_loss)


def answers_of(connection: Connection, order_ids: Collection[str]) -> Answers:
    """What is known of these orders; each is there, with nothing where nobody answered."""
    found: Answers = {order_id: {} for order_id in order_ids}
    for row in connection.execute(_ANSWERS, {"ids": list(found)}):
        found[row.order_id][row.channel] = row.code
    return found


def filed_of(connection: Connection, study_instance_uids: Collection[str]) -> dict[OfStudy, Filed]:
    """What was acknowledged of these studies' reports."""
    rows = connection.execute(_FILED_OF, {"uids": list(study_instance_uids)})
    return {(row.study_instance_uid, row.channel): Filed(row.version, row.status) for row in rows}


def begun_of(connection: Connection, study_instance_uids: Collection[str]) -> dict[OfStudy, int]:
    """The highest version that a channel may have of these studies' reports; nothing is older than the first."""
    rows = connection.execute(_BEGUN_OF, {"uids": list(study_instance_uids)})
    return {(row.study_instance_uid, row.channel): row.version for row in rows}


def keys_of(order_id: str) -> list[str]:
    """Keys of the jobs of an order's channels; an index finds them, and a pattern would be compared with every job."""
    return [f"{order_id}/{channel}" for channel in _CHANNELS]


def lock_orders(connection: Connection, order_ids: Collection[str]) -> Mapping[str, Any]:
    """Order id → body. Locked in one order everywhere, so that no two transactions stop each other."""
    return {row.order_id: row.body for row in connection.execute(_LOCKED, {"ids": sorted(order_ids)})}


def write_answers(
    connection: Connection, jobs: JobQueue, answers: Sequence[ReturnedAnswer], now: datetime
) -> tuple[list[FactBody], frozenset[str]]:
    """The facts that follow, and the keys of the jobs that were the last of their orders.

    Raises:
        LeaseLost: the job of one is another worker's by now; the caller must let the transaction roll back.
    """
    bodies = lock_orders(connection, {answer.order_id for answer in answers})
    known = answers_of(connection, bodies)
    new = _written(connection, known, answers, now)
    _file(connection, new, bodies)
    last, completed = finish(connection, jobs, [answer.job for answer in answers if answer.job is not None], known)
    return [*map(_acknowledged, new), *completed], last


def finish(
    connection: Connection, jobs: JobQueue, held: Sequence[Job], known: Answers
) -> tuple[frozenset[str], list[OrderCompleted]]:
    """Complete channels' jobs; the last one of its order completes the order, whichever finishes last.

    The orders' rows are locked; `known` is what their channels have answered, these included.
    """
    if not held:
        return frozenset(), []
    jobs.complete_all(connection, held)
    last = {job.key.partition("/")[0]: job.key for job in held}
    keys = [key for order_id in last for key in keys_of(order_id)]
    for key in connection.execute(_UNFINISHED, {"keys": keys}).scalars():
        last.pop(key.partition("/")[0], None)
    return frozenset(last.values()), [_completed(order_id, known[order_id]) for order_id in last]


def _written(
    connection: Connection, known: Answers, answers: Sequence[ReturnedAnswer], now: datetime
) -> list[ReturnedAnswer]:
    """Those that nobody had written down before. `known` knows them then."""
    new, added = [], []
    for answer in answers:
        before = known[answer.order_id].get(answer.channel)
        if before is not None and before != RECALLED:
            continue
        known[answer.order_id][answer.channel] = answer.code
        values = {"code": answer.code, "reference": answer.reference, "at": now}
        if before is None:
            added.append({"order_id": answer.order_id, "channel": answer.channel, **values})
        else:  # it was on its way when it was recalled, and arrived all the same
            here = (_ANSWER.c.order_id == answer.order_id) & (_ANSWER.c.channel == answer.channel)
            connection.execute(update(_ANSWER).where(here).values(**values))
        new.append(answer)
    if added:
        connection.execute(_ADD_ANSWER, added)
    losses = [answer for answer in new if answer.losses]
    if losses:
        connection.execute(_ADD_LOSSES, [_lost(answer, now) for answer in losses])
    return new


def _file(connection: Connection, new: Sequence[ReturnedAnswer], bodies: Mapping[str, Any]) -> None:
    """Note the version and status that a channel has acknowledged now, unless it had gone further before."""
    if not new:
        return
    filings = [_filing_of(answer.channel, bodies[answer.order_id]) for answer in new]
    before = filed_of(connection, {uid for (uid, _), _ in filings})
    now = dict(before)
    for place, filed in filings:
        known = now.get(place)
        now[place] = filed if known is None else known.and_also(filed.version, filed.status)
    added = [_filing(place, filed) for place, filed in now.items() if place not in before]
    if added:
        connection.execute(_ADD_FILED, added)
    for place, filed in before.items():
        if now[place] != filed:
            values = {"version": now[place].version, "status": now[place].status}
            connection.execute(update(_FILED).where(_at(place)).values(**values))


def _filing_of(channel: str, body: Mapping[str, Any]) -> tuple[OfStudy, Filed]:
    """From a `ReturnReport` as it was kept: to look at these fields only is a tenth of reading all of it."""
    status = "C" if body.get("addendum") else body["status"]
    return (body["study"]["study_instance_uid"], channel), Filed(body["version"], status)


def _filing(place: OfStudy, filed: Filed) -> dict[str, Any]:
    uid, channel = place
    return {"study_instance_uid": uid, "channel": channel, "version": filed.version, "status": filed.status}


def _at(place: OfStudy) -> ColumnElement[bool]:
    return (_FILED.c.study_instance_uid == place[0]) & (_FILED.c.channel == place[1])


def _lost(answer: ReturnedAnswer, now: datetime) -> dict[str, Any]:
    return {"order_id": answer.order_id, "channel": answer.channel, "losses": list(answer.losses), "at": now}


def _acknowledged(answer: ReturnedAnswer) -> ReportAcknowledged:
    said = {"order_id": answer.order_id, "channel": answer.channel, "code": answer.code}
    return ReportAcknowledged.model_validate({**said, "reference": answer.reference, "losses": answer.losses})


def _completed(order_id: str, answers: Mapping[str, str]) -> OrderCompleted:
    channels = tuple(sorted(channel for channel, code in answers.items() if code != RECALLED))
    return OrderCompleted.model_validate({"order_id": order_id, "channels": channels})
