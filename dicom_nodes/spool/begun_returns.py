"""Which version of a study's reports a channel may have already, though it never said so (HAZARDS 10, ADR 121).

A RIS may file a report and be cut off before its answer, and this node may die while it waits for one. Until the newer
version is answered, no older one may follow it: a RIS that tells repeats by MSH-10 would go on showing the older.
"""

from sqlalchemy import Connection, delete, select

from dicom_nodes.contract import RecallReport, ReturnReport
from dicom_nodes.foundation.inserts import unless_there
from dicom_nodes.spool import tables
from dicom_nodes.spool.returned_answers import begun_of
from dicom_nodes.spool.returns import SqlReturns

_BEGUN = tables.begun_version
_BEGIN = unless_there(_BEGUN, ("study_instance_uid", "channel", "version"))


class SqlBegunReturns(SqlReturns):
    """The part of `ReturnStore` that knows what was begun; versions above 1 only, as nothing is older than that."""

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

    def _recall(self, connection: Connection, recall: RecallReport) -> None:
        """Called off by a person: what is older is not kept back by it any more. Else it may come again, and is."""
        super()._recall(connection, recall)
        if not recall.called_off:
            return
        query = select(tables.order.c.body).where(tables.order.c.order_id == recall.order_id)
        found = connection.execute(query).scalar_one_or_none()
        if found is not None:
            body = ReturnReport.model_validate(found)
            for channel in recall.channels:
                _forget(connection, body.study.study_instance_uid, channel, body.version)


def _forget(connection: Connection, study_instance_uid: str, channel: str, version: int) -> None:
    here = (_BEGUN.c.study_instance_uid == study_instance_uid) & (_BEGUN.c.channel == channel)
    connection.execute(delete(_BEGUN).where(here, _BEGUN.c.version == version))
