"""A router's schema in an empty database at a tenth of what its migrations cost: they run once a test process, and
what they made is copied. Tests of the migrations themselves run them."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import psycopg
from sqlalchemy import delete
from sqlalchemy.engine import URL, make_url

from dicom_nodes.foundation.database import open_database
from router.store import tables as t
from router.store.schema import migrate
from tests.peers.postgresql import fresh_database


def lay_out(database_url: str) -> None:
    """Bring an empty database to the present schema, with nothing in it; any other is left as it is."""
    url = make_url(database_url)
    if url.get_backend_name() == "postgresql":
        _lay_out_postgresql(url)
    elif url.database and not Path(url.database).exists():
        shutil.copyfile(_sqlite_template(), url.database)


def _lay_out_postgresql(url: URL) -> None:
    with psycopg.connect(_address(url)) as connection:
        found = connection.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'public' LIMIT 1").fetchone()
    if found is None:
        template = _postgresql_template(url.render_as_string(hide_password=False).rpartition("/")[0])
        with psycopg.connect(_address(url.set(database="postgres")), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{url.database}"')
            connection.execute(f'CREATE DATABASE "{url.database}" TEMPLATE "{template}"')


@cache
def _sqlite_template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="readacross-schema-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _migrated(f"sqlite:///{folder / 'router.sqlite'}")
    return folder / "router.sqlite"


@cache
def _postgresql_template(server_url: str) -> str:
    url = fresh_database(server_url)
    _migrated(url)
    return str(make_url(url).database)


def _migrated(url: str) -> None:
    """Every database names its order log itself."""
    database = open_database(url)
    try:
        migrate(database)
        with database.write() as connection:
            connection.execute(delete(t.order_log))
    finally:
        database.dispose()


def _address(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
