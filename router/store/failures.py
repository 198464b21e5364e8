"""Whose fault a failed statement is: the database's (it is away, full or busy: try again) or the data's."""

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

_CLASSES = ("08", "40", "53", "57")
"""SQLSTATE: connection; serialisation and deadlock; resources; operator intervention (PostgreSQL, appendix A)."""

_SQLITE = ("BUSY", "LOCKED", "FULL", "IOERR", "NOMEM", "CANTOPEN", "READONLY", "PROTOCOL")


def is_of_the_database(error: BaseException) -> bool:
    """Whether the same statement may succeed later, because the database and not the data was in the way."""
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    sqlite_name = getattr(error.orig, "sqlite_errorname", None)
    if sqlite_name is not None:
        return str(sqlite_name).removeprefix("SQLITE_").startswith(_SQLITE)
    sqlstate = getattr(error.orig, "sqlstate", None)
    if sqlstate is not None:
        return str(sqlstate).startswith(_CLASSES)
    return isinstance(error, OperationalError | InterfaceError)
