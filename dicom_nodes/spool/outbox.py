"""Facts waiting for the router: numbered without gaps in the transaction that makes them true, sent in order."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from dicom_nodes.contract import FactBody
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database
from dicom_nodes.spool import tables

_BODY: TypeAdapter[FactBody] = TypeAdapter(FactBody)
_LAST = tables.outbox_identity.c.last_seq
_TAKE_NUMBERS = update(tables.outbox_identity).values(last_seq=_LAST + bindparam("count")).returning(_LAST)
_ADD = insert(tables.outbox)
_IDENTITY = select(tables.outbox_identity.c.outbox_id)
_SENT = (
    update(tables.outbox_identity)
    .where(tables.outbox_identity.c.outbox_id == bindparam("of_outbox"))
    .values(sent_through=bindparam("through"))
)
_FORGET = delete(tables.outbox).where(tables.outbox.c.seq <= bindparam("through"))
_OLDEST = select(tables.outbox).order_by(tables.outbox.c.seq).limit(bindparam("limit"))


class SqlOutbox:
    """The outbox table; its id is new whenever the table is, so the router never mistakes one life for another."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        with database.write() as connection:
            if connection.execute(select(tables.outbox_identity)).first() is None:
                connection.execute(
                    insert(tables.outbox_identity).values(outbox_id=str(uuid.uuid4()), last_seq=0, sent_through=0)
                )

    def append(self, connection: Connection, *bodies: FactBody) -> None:
        """Add facts in the caller's transaction."""
        if not bodies:
            return
        last = connection.execute(_TAKE_NUMBERS, {"count": len(bodies)}).scalar_one()
        now, first = self._clock(), last - len(bodies) + 1
        rows = [
            {"seq": seq, "occurred_at": now, "body": body.model_dump(mode="json")}
            for seq, body in enumerate(bodies, first)
        ]
        connection.execute(_ADD, rows)

    def pending(self, limit: int) -> tuple[str, Sequence[tuple[int, datetime, FactBody]]]:
        with self._database.read() as connection:
            outbox_id = connection.execute(_IDENTITY).scalar_one()
            rows = connection.execute(_OLDEST, {"limit": limit}).all()
        return outbox_id, [(row.seq, row.occurred_at, _BODY.validate_python(row.body)) for row in rows]

    def mark_sent(self, outbox_id: str, through: int) -> None:
        """Forget the facts that the router has made durable."""
        with self._database.write() as connection:
            if connection.execute(_SENT, {"of_outbox": outbox_id, "through": through}).rowcount == 1:
                connection.execute(_FORGET, {"through": through})

    def last_number(self) -> int:
        with self._database.read() as connection:
            return int(connection.execute(select(tables.outbox_identity.c.last_seq)).scalar_one())

    def rename(self) -> None:
        """Start another life under a new id; what waits keeps its order and is numbered from 1."""
        with self._database.write() as connection:
            waiting = connection.execute(select(tables.outbox.c.seq).order_by(tables.outbox.c.seq)).scalars().all()
            for number, seq in enumerate(waiting, start=1):
                connection.execute(update(tables.outbox).where(tables.outbox.c.seq == seq).values(seq=number))
            connection.execute(
                update(tables.outbox_identity).values(
                    outbox_id=str(uuid.uuid4()), last_seq=len(waiting), sent_through=0
                )
            )

    def depth(self) -> tuple[int, float]:
        with self._database.read() as connection:
            count, oldest = connection.execute(
                select(func.count(), func.min(tables.outbox.c.occurred_at)).select_from(tables.outbox)
            ).one()
        return count, (self._clock() - oldest).total_seconds() if oldest else 0.0
