"""Fills a router's empty database for `bench region` by way of the router's own store and flows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dicom_nodes.contract import StudySettled
from readacross.bench.region_seeds import readers
from readacross.bench.region_studies import StudySource, wall_clock
from router.app import open_store
from router.config import RouterSettings, load_router_settings
from router.flows.route_study import take_settled_study
from router.store.transaction import SqlStore
from router.web.network import issue_checked

_STUDIES_A_COMMIT = 250


@dataclass(frozen=True, slots=True)
class Filled:
    """Tokens by node and by reader, and of an administrator."""

    nodes: Mapping[str, str]
    readers: Mapping[str, str]
    admin: str


def fill_router(router_file: Path, reader_count: int, waiting: int, trust_codes: list[str]) -> Filled:
    """Make the tables, readers in sessions, `waiting` reads that nobody has yet, and tokens for everybody."""
    settings, now = load_router_settings(router_file), wall_clock()
    store = open_store(settings)
    try:
        names = _fill_readers(store, reader_count, trust_codes, now)
        _fill_reads(store, settings, waiting, trust_codes, now)
        with store.write() as tx:
            nodes = {code: issue_checked(tx, "node", code, now)[1] for code in trust_codes}
            people = {name: issue_checked(tx, "reader", name, now)[1] for name in names}
            return Filled(nodes, people, issue_checked(tx, "admin", "bench", now)[1])
    finally:
        store.database.dispose()


def _fill_readers(store: SqlStore, count: int, trust_codes: list[str], now: datetime) -> list[str]:
    names = []
    with store.write() as tx:
        for reader, session in readers(count, trust_codes, now):
            tx.readers.put(reader)
            for credential in reader.credentials:
                tx.readers.add_credential(reader.id, credential)
            tx.readers.put_session(session)
            names.append(reader.id)
    return names


def _fill_reads(store: SqlStore, settings: RouterSettings, waiting: int, trust_codes: list[str], now: datetime) -> None:
    """By the flow that takes a node's fact, many in a commit."""
    source = StudySource(trust_codes, seed=1)
    for start in range(0, waiting, _STUDIES_A_COMMIT):
        with store.write() as tx:
            for _ in range(start, min(start + _STUDIES_A_COMMIT, waiting)):
                study = source.next()
                settled = StudySettled.model_validate(study.settled(source.earlier(now)))
                take_settled_study(tx, study.origin, settled, settings.routing, now)
