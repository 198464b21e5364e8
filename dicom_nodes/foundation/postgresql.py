"""Links to PostgreSQL that end when nothing comes back on them: a dead link holds locks and threads otherwise.

The kernel finds out about a peer that is gone, by the limits given here; nobody but the client finds out about one that
is there and silent, such as a frozen server or a proxy whose other side is gone.
"""

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from sqlalchemy import URL, Engine, event

_LIMITS = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""libpq's own options; seconds, but milliseconds for `tcp_user_timeout`."""
_SILENCE_S = 120.0
"""No statement of ours leaves the client without a byte for so long, unless something is stuck."""
_SHORT_SILENCE_S = 5.0
"""For what takes microseconds: whether a link that was idle still works, and rows by their keys."""
_SHORT_STATEMENT_MS = 4_000

Result = TypeVar("Result")
Row = tuple[Any, ...]


class SilentDatabaseError(psycopg.OperationalError):
    """Nothing came back; whether the statement was carried out is not known."""


class MortalConnection(psycopg.Connection[Row]):
    """Closed, with OperationalError, once the server has said nothing for `silence_s` while it was waited for."""

    silence_s = _SHORT_SILENCE_S

    def wait(self, gen: Generator[Any, Any, Result], *args: Any, **kwargs: Any) -> Result:
        """As psycopg's, but not for ever."""
        return super().wait(self._heard(gen), *args, **kwargs)

    def _heard(self, gen: Generator[Any, Any, Result]) -> Generator[Any, Any, Result]:
        heard = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready:
                    heard = time.monotonic()
                elif time.monotonic() - heard > self.silence_s:
                    self.pgconn.finish()
                    raise SilentDatabaseError(f"the database has given no sign of life for {self.silence_s:g} s")
                wanted = gen.send(ready)
        except StopIteration as end:
            result: Result = end.value
            return result


def connection_limits(url: URL) -> dict[str, int]:
    """libpq options that end dead links; those that the URL gives itself stay as they are."""
    return {name: value for name, value in _LIMITS.items() if name not in url.query}


def end_silent_links(engine: Engine) -> None:
    """Have every connection of `engine` end in time; those that were idle are tried for a moment only."""

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, cargs: Any, cparams: Any) -> MortalConnection:
        return MortalConnection.connect(*cargs, **cparams)

    @event.listens_for(engine, "checkout")
    def _take(connection: Any, _record: Any, _proxy: Any) -> None:
        connection.silence_s = _SILENCE_S

    @event.listens_for(engine, "checkin")
    def _give_back(connection: Any, _record: Any) -> None:
        if connection is not None:
            connection.silence_s = _SHORT_SILENCE_S


def gave_no_answer(error: BaseException) -> bool:
    """Whether the time ran out, at the server's side or at ours."""
    return isinstance(error, SilentDatabaseError | psycopg.errors.QueryCanceled)


def for_point_lookups(connection: Any, url: URL) -> None:
    """Make a connection of one's own answer in seconds or fail, seeing everything committed."""
    connection.silence_s = _SHORT_SILENCE_S
    connection.autocommit = True
    if "statement_timeout" not in str(url.query.get("options", "")):
        connection.execute(f"SET statement_timeout = {_SHORT_STATEMENT_MS}")
