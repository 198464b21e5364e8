"""Refused orders and changes of patients: beside the refused reports, so that a person finds all in one list."""

import hashlib

from sqlalchemy import insert, select

from dicom_nodes.contract import MessageRefused
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database
from dicom_nodes.model.refused_message import RefusedMessage
from dicom_nodes.spool import tables
from dicom_nodes.spool.outbox import SqlOutbox


class SqlRefusedMessages:
    """Implements `RefusedMessageStore`."""

    def __init__(self, database: Database, outbox: SqlOutbox, clock: Clock) -> None:
        self._database, self._outbox, self._clock = database, outbox, clock

    def keep(self, refusal_id: str, refused: RefusedMessage) -> None:
        table = tables.refused_report
        said = {"channel": refused.kind.value, "answer": refused.answer, "reason": refused.reason}
        said |= {"refusal_id": refusal_id, "original_digest": hashlib.sha256(refused.original).hexdigest()}
        with self._database.write() as connection:
            known = connection.execute(select(table.c.refusal_id).where(table.c.refusal_id == refusal_id)).first()
            if known is not None:
                return
            connection.execute(insert(table).values(**said, original=refused.original, received_at=self._clock()))
            self._outbox.append(connection, MessageRefused.model_validate(said))
