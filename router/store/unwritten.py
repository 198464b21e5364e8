"""Rows that wait to be written together: before any other statement, and at the transaction's end.

Where a transaction is alone (SQLite), most facts of a batch change other rows of the same few tables: written in a
row, a row costs a third. Whoever puts a row here has to know what the statement would have found, because its answer
comes too late. Nothing waits where others may write in between (PostgreSQL).
"""

import enum
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult, Executable
from sqlalchemy.engine import NestedTransaction

from router.model.errors import Conflict
from router.store.memo import Memo


class Place(enum.IntEnum):
    """In which order tables are written: what a row refers to comes before it."""

    REPORT = 1
    REPORT_SETTLED = 2
    READ = 3
    ASSIGNMENT = 4
    AID = 5
    ORDER_HEAD = 6
    ORDER = 7
    OUTCOME = 8
    DELIVERY = 9


_ALL_OF_THEM = {
    Place.REPORT: "a report",
    Place.REPORT_SETTLED: "a report",
    Place.READ: "a read",
    Place.ASSIGNMENT: "an assignment",
}
"""Every row counts: one that met another's, or found nothing to change, is not lost in silence."""
_Row = tuple[Executable, dict[str, Any]]


class Unwritten:
    """One transaction's connection, as its repositories have it."""

    def __init__(self, connection: Connection, memo: Memo) -> None:
        self._connection, self._memo = connection, memo
        self._rows: dict[Place, dict[object, _Row]] = {}

    def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Any statement, behind all that waits; one that writes makes everything forgotten."""
        if self._rows:
            self.flush()
        if not statement.is_select:
            self._memo.forget()
        return self._connection.execute(statement, parameters)

    def execute_noted(self, statement: Executable, parameters: Mapping[str, Any]) -> CursorResult[Any]:
        """The same of one that writes what its caller notes or forgets by itself."""
        if self._rows:
            self.flush()
        return self._connection.execute(statement, parameters)

    def execute_beside(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """One of tables of which nothing waits or is kept."""
        return self._connection.execute(statement, parameters)

    def put(self, place: Place, key: object, statement: Executable, values: dict[str, Any]) -> None:
        """Have this row written; it takes the place of what waits under the key."""
        if not self._memo.is_kept:
            self._connection.execute(statement, values)
            return
        self._rows.setdefault(place, {})[key] = (statement, values)

    def waiting(self, place: Place, key: object) -> dict[str, Any] | None:
        """The row that waits under the key."""
        row = self._rows.get(place, {}).get(key)
        return None if row is None else row[1]

    def flush(self) -> None:
        """Write what waits.

        Raises:
            Conflict: a row is not as this transaction has seen it, which nobody else can have changed.
        """
        if not self._rows:
            return
        rows, self._rows = self._rows, {}
        for place in sorted(rows):
            alike: dict[Executable, list[dict[str, Any]]] = {}
            for statement, values in rows[place].values():
                alike.setdefault(statement, []).append(values)
            for statement, together in alike.items():
                written = self._connection.execute(statement, together)
                if place in _ALL_OF_THEM and written.rowcount != len(together):
                    raise Conflict(f"{_ALL_OF_THEM[place]} was changed beside the transaction that had it alone")

    def drop(self) -> None:
        """What the rows tell of is rolled back."""
        self._rows = {}

    def begin_nested(self) -> NestedTransaction:
        return self._connection.begin_nested()

    def __getattr__(self, name: str) -> Any:
        """Everything else of a connection, which may do anything: behind all that waits, and with nothing known."""
        self.flush()
        self._memo.forget()
        return getattr(self._connection, name)
