"""Originals of reports that came to the router itself, and hand matches that wait for a second person."""

from sqlalchemy import Connection, delete, select

from dicom_nodes.foundation.inserts import inserted_unless_there
from router.model.report import HandMatch, Original
from router.store import tables as t
from router.store.statements import upsert


class SqlOriginals:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, original: Original) -> None:
        values = {
            "report_id": original.report_id,
            "media_type": original.media_type,
            "digest": original.digest,
            "original": original.original,
            "received_at": original.received_at,
        }
        inserted_unless_there(self._connection, t.report_original, values)

    def get(self, report_id: str) -> Original | None:
        query = select(t.report_original).where(t.report_original.c.report_id == report_id)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return None
        return Original(row.report_id, row.media_type, row.digest, row.original, row.received_at)


class SqlHandMatches:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, match: HandMatch) -> None:
        values = {
            "report_id": match.report_id,
            "read_id": match.read_id,
            "proposed_by": match.proposed_by,
            "proposed_at": match.proposed_at,
            "reason": match.reason,
            "contradictions": list(match.contradictions),
        }
        upsert(self._connection, t.report_match, ["report_id"], values)

    def get(self, report_id: str) -> HandMatch | None:
        query = select(t.report_match).where(t.report_match.c.report_id == report_id)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return None
        proposed = (row.proposed_by, row.proposed_at, row.reason, tuple(row.contradictions))
        return HandMatch(row.report_id, row.read_id, *proposed)

    def remove(self, report_id: str) -> None:
        self._connection.execute(delete(t.report_match).where(t.report_match.c.report_id == report_id))
