"""Which version of a study's reports a channel may have already, though it never said so (HAZARDS 10, ADR 121).

A RIS may file a report and be cut off before its answer, and this node may die while it waits for one. Until the newer
version is answered, no older one may follow it: a RIS that tells repeats by MSH-10 would go on showing the older.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, select

from dicom_nodes.contract import FactBody, JobParked, RecallReport, ReturnReport
from dicom_nodes.flows.return_ports import ReturnPlace
from dicom_nodes.foundation.inserts import insert_missing, unless_there
from dicom_nodes.spool import tables
from dicom_nodes.spool.returned_answers import RECALLED, RETURN_JOB, answers_of, begun_of, filed_of, lock_orders
from dicom_nodes.spool.returns import SqlReturns

_BEGUN, _ORDER = tables.begun_version, tables.order
_MAY_BE_THERE = (
    "version {version} is not to be sent any more, but may have reached the {channel}: it was sent, and no answer is"
    " known. Look there whether it is shown. Older versions wait until they park and a person sends them again"
)
_BEGIN = unless_there(_BEGUN, ("study_instance_uid", "channel", "version"))


class SqlBegunReturns(SqlReturns):
    """The part of `ReturnStore` that knows what was begun; nothing is kept back by a first version."""

    def begun(self, study_instance_uid: str, channel: str) -> int | None:
        with self._database.read() as connection:
            return begun_of(connection, [study_instance_uid]).get((study_instance_uid, channel))

    def begin_return(self, study_instance_uid: str, channel: str, version: int) -> bool:
        values = {"study_instance_uid": study_instance_uid, "channel": channel, "version": version}
        with self._database.write() as connection:
            return connection.execute(_BEGIN, values).rowcount == 0

    def forget_begun(self, study_instance_uid: str, channel: str, version: int) -> None:
        with self._database.write() as connection:
            _forget(connection, study_instance_uid, channel, version)

    def begin_first(self, places: Collection[ReturnPlace]) -> Collection[ReturnPlace]:
        wanted = {(place.study_instance_uid, place.channel): place for place in places}
        uids = {uid for uid, _ in wanted}
        first = select(_BEGUN.c.study_instance_uid, _BEGUN.c.channel).where(_BEGUN.c.version == 1)
        with self._database.write() as connection:
            known = {(row.study_instance_uid, row.channel) for row in connection.execute(first.where(_of(uids)))}
            rows = [{"study_instance_uid": uid, "channel": channel, "version": 1} for uid, channel in wanted]
            insert_missing(connection, _BEGUN, rows)
        return [place for place in places if (place.study_instance_uid, place.channel) in known]

    def _recall(self, connection: Connection, recall: RecallReport) -> Sequence[FactBody]:
        """What was begun and never answered may be there, and stays remembered: a person is asked about it."""
        lock_orders(connection, [recall.order_id])
        may_be_there = _may_be_there(connection, recall)
        return [*super()._recall(connection, recall), *may_be_there]

    def _release(self, connection: Connection, key: str) -> None:
        """A person has an order's older report sent though a newer one may be there: one that was called off."""
        order_id, _, named = key.partition("/")
        body = _body_of(connection, order_id)
        if body is None:
            return
        of_study = {of.order_id: of.body for of in connection.execute(_of_study(body.study.study_instance_uid))}
        answers = answers_of(connection, of_study)
        for channel in (named,) if named else body.channels or self._channels:
            off: dict[int, bool] = {}
            for other, said in of_study.items():
                if said.get("kind") == RETURN_JOB:
                    version = said["version"]
                    off[version] = off.get(version, True) and answers[other].get(channel) == RECALLED
            for version in [version for version, is_off in off.items() if is_off and version > body.version]:
                _forget(connection, body.study.study_instance_uid, channel, version)


def _body_of(connection: Connection, order_id: str) -> ReturnReport | None:
    found = connection.execute(select(_ORDER.c.body).where(_ORDER.c.order_id == order_id)).scalar_one_or_none()
    return ReturnReport.model_validate(found) if found is not None and found["kind"] == RETURN_JOB else None


def _may_be_there(connection: Connection, recall: RecallReport) -> list[FactBody]:
    """Of channels that have filed something newer nobody needs to be asked."""
    body = _body_of(connection, recall.order_id)
    if body is None:
        return []
    uid, answered = body.study.study_instance_uid, answers_of(connection, [recall.order_id])[recall.order_id]
    begun = connection.execute(select(_BEGUN.c.channel).where(_of({uid}), _BEGUN.c.version == body.version)).scalars()
    filed, facts = filed_of(connection, [uid]), list[FactBody]()
    for channel in sorted(set(begun) & set(recall.channels) - set(answered)):
        here = filed.get((uid, channel))
        if here is None or here.version <= body.version:
            key, reason = f"{recall.order_id}/{channel}", _MAY_BE_THERE.format(version=body.version, channel=channel)
            facts.append(JobParked(job_kind=RETURN_JOB, job_key=key, reason=reason, attempts=1))
    return facts


def _of(study_instance_uids: Collection[str]) -> ColumnElement[bool]:
    return _BEGUN.c.study_instance_uid.in_(list(study_instance_uids))


def _of_study(study_instance_uid: str) -> Select[tuple[str, Mapping[str, Any]]]:
    return select(_ORDER.c.order_id, _ORDER.c.body).where(_ORDER.c.study_instance_uid == study_instance_uid)


def _forget(connection: Connection, study_instance_uid: str, channel: str, version: int) -> None:
    here = (_BEGUN.c.study_instance_uid == study_instance_uid) & (_BEGUN.c.channel == channel)
    connection.execute(delete(_BEGUN).where(here, _BEGUN.c.version == version))
