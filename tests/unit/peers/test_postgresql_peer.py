"""The PostgreSQL of the tests is a real one, and databases on it are apart."""

import pytest
from sqlalchemy import text

from dicom_nodes.foundation.database import open_database
from tests.peers.postgresql import fresh_database


def test_a_fresh_database_is_empty_and_apart_from_others(postgresql_server: str) -> None:
    first, second = (open_database(fresh_database(postgresql_server)) for _ in range(2))
    try:
        with first.write() as connection:
            connection.execute(text("CREATE TABLE only_here (id INTEGER)"))
        with second.read() as connection:
            found = connection.execute(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")).scalar_one()
        assert found == 0
    finally:
        first.dispose()
        second.dispose()


def test_database_url_opens_on_each_kind(database_url: str, request: pytest.FixtureRequest) -> None:
    database = open_database(database_url)
    try:
        with database.read() as connection:
            assert connection.execute(text("SELECT 1")).scalar_one() == 1
        assert database.engine.dialect.name in request.node.name
    finally:
        database.dispose()
