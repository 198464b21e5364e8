"""Single rows by their key, as ingest asks for them before every answer: microseconds each, not milliseconds.

SQLAlchemy prepares a statement's text once; asking goes straight to the driver, on a few connections that are kept for
it in autocommit. What is asked sees everything committed before. PostgreSQL answers within seconds, or it is an error.
"""

import threading
from typing import Any

from sqlalchemy import Engine, Select
from sqlalchemy.pool import StaticPool

from dicom_nodes.foundation.postgresql import for_point_lookups, gave_no_answer

Values = tuple[Any, ...]


class PointLookups:
    """Connections that only ever read single rows, handed from thread to thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._idle: list[Any] = []
        self._lock = threading.Lock()

    def prepared(self, statement: Select[Any]) -> "PointLookup":
        """A look-up by the one bind parameter of `statement`; values come as the driver gives them."""
        compiled = statement.compile(dialect=self._engine.dialect)
        (parameter,) = compiled.params
        return PointLookup(self, str(compiled), None if compiled.positional else parameter)

    def first(self, text: str, parameters: Any) -> Values | None:
        """The first row. Connections that a database left behind when it went away are passed over."""
        while (connection := self._kept()) is not None:
            try:
                return self._asked(connection, text, parameters)
            except self._errors as error:
                if gave_no_answer(error):
                    self.close()  # nor would the others be answered, each after as long a wait
                    raise
        return self._asked(self._new(), text, parameters)

    def close(self) -> None:
        """Let the connections go."""
        while (connection := self._kept()) is not None:
            connection.close()

    @property
    def _errors(self) -> type[Exception]:
        error: type[Exception] = self._engine.dialect.loaded_dbapi.Error
        return error

    def _asked(self, connection: Any, text: str, parameters: Any) -> Values | None:
        try:
            row: Values | None = connection.execute(text, parameters).fetchone()
        except self._errors:
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)
        return row

    def _kept(self) -> Any | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _new(self) -> Any:
        pooled = self._engine.raw_connection()
        connection: Any = pooled.driver_connection
        if not isinstance(self._engine.pool, StaticPool):  # a database in memory has just one
            pooled.detach()
            if self._engine.dialect.name == "postgresql":
                for_point_lookups(connection, self._engine.url)
        return connection


class PointLookup:
    """One prepared statement; call it with a key."""

    def __init__(self, lookups: PointLookups, text: str, parameter: str | None) -> None:
        self._lookups, self._text, self._parameter = lookups, text, parameter

    def __call__(self, key: str | bytes) -> Values | None:
        """The row with this key, or None."""
        return self._lookups.first(self._text, (key,) if self._parameter is None else {self._parameter: key})
