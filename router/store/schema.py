"""Brings the database to the present schema by alembic, at start; several replicas may start at once."""

from pathlib import Path
from uuid import uuid4

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from dicom_nodes.foundation.database import Database
from dicom_nodes.foundation.inserts import inserted_unless_there
from router.store import tables as t

_MIGRATION_LOCK = 0x52656165


def migrate(database: Database) -> None:
    """Run every migration that is missing, and give the order log its name once."""
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        command.upgrade(_alembic(connection), "head")
        inserted_unless_there(connection, t.order_log, {"id": 1, "log_id": str(uuid4())})


def _alembic(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
