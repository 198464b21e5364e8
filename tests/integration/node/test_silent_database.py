"""A PostgreSQL that stops answering is an error within seconds, taken for one that passes, and is used again later."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Column, LargeBinary, MetaData, Table, bindparam, insert, make_url, select, text
from sqlalchemy.exc import OperationalError

from dicom_nodes.foundation import postgresql
from dicom_nodes.foundation.database import Database, is_temporary, open_database
from dicom_nodes.spool.point_lookups import PointLookups
from tests.peers.postgresql import fresh_database
from tests.peers.tcp_proxy import TcpProxy

pytestmark = pytest.mark.peers("postgresql")
THINGS = Table("things", MetaData(), Column("name", LargeBinary, primary_key=True))
BY_NAME = select(THINGS.c.name).where(THINGS.c.name == bindparam("key"))


@pytest.fixture
def proxy(postgresql_server: str) -> Iterator[TcpProxy]:
    port = make_url(postgresql_server).port
    assert port is not None
    with TcpProxy(port) as proxy:
        yield proxy


@pytest.fixture
def database(postgresql_server: str, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(postgresql, "_SHORT_SILENCE_S", 2.0)
    monkeypatch.setattr(postgresql.MortalConnection, "silence_s", 2.0)
    url = make_url(fresh_database(postgresql_server)).set(port=proxy.port).update_query_dict({"connect_timeout": "2"})
    database = open_database(url.render_as_string(hide_password=False))
    THINGS.metadata.create_all(database.engine)
    with database.write() as connection:
        connection.execute(insert(THINGS).values(name=b"one"))
    yield database
    database.dispose()


def test_look_ups_fail_and_work_again_when_the_database_does(database: Database, proxy: TcpProxy) -> None:
    lookups = PointLookups(database.engine)
    look_up = lookups.prepared(BY_NAME)
    assert look_up(b"one") == (b"one",)

    proxy.swallows.set()
    with pytest.raises(psycopg.OperationalError, match="no sign of life for 2 s") as on_a_kept_connection:
        look_up(b"one")
    with pytest.raises(Exception, match="timeout") as on_a_new_connection:
        look_up(b"one")

    assert is_temporary(on_a_kept_connection.value)
    assert is_temporary(on_a_new_connection.value)
    proxy.swallows.clear()
    assert look_up(b"one") == (b"one",)
    lookups.close()


def test_idle_link_that_died_is_not_waited_for_by_a_transaction(database: Database, proxy: TcpProxy) -> None:
    proxy.swallows.set()

    with pytest.raises(Exception, match="timeout") as failure, database.read():
        pass

    assert is_temporary(failure.value)
    proxy.swallows.clear()
    with database.read() as connection:
        assert connection.execute(select(THINGS.c.name)).scalar_one() == b"one"


def test_statement_under_way_ends_and_its_connection_is_not_used_again(
    database: Database, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "_SILENCE_S", 1.0)

    def read_when_it_goes() -> None:
        with database.write() as connection:
            proxy.swallows.set()
            connection.execute(select(THINGS.c.name))

    with pytest.raises(OperationalError, match="no sign of life") as failure:
        read_when_it_goes()

    assert is_temporary(failure.value)
    proxy.swallows.clear()
    with database.read() as connection:
        assert connection.execute(select(THINGS.c.name)).scalar_one() == b"one"


def test_statement_that_the_server_works_on_for_too_long_is_an_error_of_the_look_up_only(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "_SHORT_STATEMENT_MS", 200)
    lookups = PointLookups(database.engine)
    slow = lookups.prepared(select(text("pg_sleep(600)")).where(text("'x' = :key").bindparams(bindparam("key"))))

    with pytest.raises(psycopg.errors.QueryCanceled) as failure:
        slow("x")

    assert is_temporary(failure.value)
    with database.read() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "0"
    lookups.close()


def test_limits_of_the_link_are_set_unless_the_url_says_otherwise(postgresql_server: str) -> None:
    url = make_url(fresh_database(postgresql_server)).update_query_dict(
        {"tcp_user_timeout": "7000", "options": "-c statement_timeout=1234"}
    )
    database = open_database(url.render_as_string(hide_password=False))

    raw = database.engine.raw_connection()
    given = raw.driver_connection.info.get_parameters()  # type: ignore[union-attr]
    raw.close()

    assert (given["tcp_user_timeout"], given["connect_timeout"], given["keepalives_idle"]) == ("7000", "5", "10")
    lookups = PointLookups(database.engine)
    shown = lookups.prepared(select(text("current_setting(:key)").bindparams(bindparam("key"))))
    assert shown("statement_timeout") == ("1234ms",)
    lookups.close()
    database.dispose()
