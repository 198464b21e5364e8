"""Structured events with fixed names, free of patient data.

Never pass a name, number, accession, data set, message body or query key to `event`; a UID goes in only
through `UidHash`, which keys it so that a log alone cannot be joined with images. What Python would print by itself
(warnings, tracebacks of threads and of the process, loggers nobody configured) becomes an event without its text.
"""

import hashlib
import hmac
import logging
import os
import secrets
import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import structlog

_NOISY_LIBRARIES = ("pynetdicom", "pydicom", "sqlalchemy", "httpx2", "httpcore2", "uvicorn.access", "alembic")
"""Libraries whose own log lines may carry data sets, query keys or URLs: silenced, our events stand instead."""


def configure_event_log(*, as_json: bool = True) -> None:
    """Send events to standard error, one a line, as JSON or (for people) as coloured key=value; and nothing else.

    A hook for threads that is not Python's own (a test runner's) is left alone.
    """
    _configure(as_json=as_json)
    warnings.showwarning = _tell_warning
    logging.lastResort = _NameOnly(logging.WARNING)
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _tell_dead_thread
    sys.excepthook = _tell_dead_process


def _configure(*, as_json: bool) -> None:
    for name in _NOISY_LIBRARIES:
        library = logging.getLogger(name)
        library.handlers = [logging.NullHandler()]
        library.propagate = False
        library.setLevel(logging.CRITICAL + 1)
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _exception_type_only,
            renderer,
        ],
        logger_factory=lambda *_: _Printer(file=sys.stderr),
    )


class _Printer(structlog.PrintLogger):
    """Loses a line rather than the work: a full disk or a broken pipe behind standard error stops no thread."""

    def msg(self, message: str) -> None:
        with suppress(OSError, ValueError):
            super().msg(message)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def event_log() -> Any:
    """Return the logger; call as `event_log().info("study.settled", study=uid_hash(uid))`."""
    if not structlog.is_configured():
        _configure(as_json=True)  # never structlog's default, which prints every local variable of a traceback
    return structlog.get_logger()


def _tell_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del message, file, line
    event_log().warning("python.warning", category=category.__name__, at=f"{Path(filename).name}:{lineno}")


def _tell_dead_thread(arguments: threading.ExceptHookArgs) -> None:
    thread = None if arguments.thread is None else arguments.thread.name
    event_log().error("thread.died", thread=thread, exc_info=arguments.exc_value)


def _tell_dead_process(kind: type[BaseException], error: BaseException, place: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, place)
        return
    event_log().error("process.died", exc_info=error)


class _NameOnly(logging.Handler):
    """Stands where Python's handler of last resort stood: which library wanted to say something, not what."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        event_log().log(record.levelno, "library.message", library=record.name, exc_info=error)


def _exception_type_only(_logger: Any, _method: str, event: Any) -> Any:
    """Keep an exception's type and place, never its text: texts of libraries quote the data they choke on."""
    error = event.pop("exc_info", None)
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        code = _database_code(error)
        if code is not None:
            event["code"] = code
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        if place is not None:
            event["at"] = f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}"
    return event


def _database_code(error: BaseException) -> str | None:
    """SQLITE_BUSY, 40001 and the like: the database's own name for what went wrong, which quotes no data."""
    original = getattr(error, "orig", None)
    code = getattr(original, "sqlite_errorname", None) or getattr(original, "sqlstate", None)
    return str(code) if code else None


class UidHash:
    """Turn a UID into a short keyed hash for logs; the key lives in the data directory."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, uid: str) -> str:
        return hmac.new(self._key, uid.encode(), hashlib.sha256).hexdigest()[:12]

    @classmethod
    def from_file(cls, file: Path) -> "UidHash":
        """Read the key from `file`, creating it with mode 0600 when it is missing."""
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return cls(file.read_bytes())
        with os.fdopen(descriptor, "wb") as stream:
            key = secrets.token_bytes(32)
            stream.write(key)
        return cls(key)
