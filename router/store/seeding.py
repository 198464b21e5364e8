"""Loads the seed files into the database at start. An entry is applied once per content.

What the API changed afterwards (a revoked credential above all) survives a restart, until the entry itself changes.
"""

import hashlib
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import select

from dicom_nodes.foundation.settings_file import Settings
from router.config import ReaderSeed, RouterSettings, SessionSeed
from router.model.reader import Credential, Reader, Workstation
from router.model.session import Session
from router.model.trust import Node, Trust
from router.store import tables as t
from router.store.statements import upsert
from router.store.transaction import SqlStore, SqlTransaction


def load_seeds(store: SqlStore, settings: RouterSettings) -> None:
    """Bring trusts, nodes, readers and sessions of the seed files into the database."""
    with store.write() as tx:
        for trust in settings.network.trusts:
            if _is_news(tx, "trust", trust.ods_code, trust):
                tx.network.put_trust(Trust(trust.ods_code, trust.name))
        for node in settings.network.nodes:
            if _is_news(tx, "node", node.ods_code, node):
                tx.network.put_node(Node(node.ods_code, node.ae_title, node.host, node.port))
        for reader in settings.readers.readers:
            if _is_news(tx, "reader", reader.id, reader.model_copy(update={"sessions": ()})):
                tx.readers.put(_reader(reader))
            for session in (_session(reader.id, entry) for entry in reader.sessions):
                if _is_news(tx, "session", session.id, repr(session)):
                    tx.readers.put_session(session)


def _is_news(tx: SqlTransaction, kind: str, key: str, entry: Settings | str) -> bool:
    """Whether this entry was not applied with this content before; remembers that it now is."""
    content = entry if isinstance(entry, str) else entry.model_dump_json()
    digest = hashlib.sha256(content.encode()).hexdigest()
    row = select(t.seed.c.digest).where(t.seed.c.kind == kind, t.seed.c.key == key)
    if tx.connection.execute(row).scalar_one_or_none() == digest:
        return False
    upsert(tx.connection, t.seed, ["kind", "key"], {"kind": kind, "key": key, "digest": digest})
    return True


def _reader(seed: ReaderSeed) -> Reader:
    return Reader(
        id=seed.id,
        name=seed.name,
        registration=seed.registration,
        employer=seed.employer,
        modalities=frozenset(seed.modalities),
        subspecialties=frozenset(seed.subspecialties),
        workstation=Workstation(seed.workstation.node, seed.workstation.ae_title),
        credentials=tuple(
            Credential(
                id=str(uuid5(NAMESPACE_URL, f"{seed.id}/{number}/{entry.trust}/{entry.valid_from.isoformat()}")),
                trust=entry.trust,
                valid_from=entry.valid_from,
                valid_until=entry.valid_until,
            )
            for number, entry in enumerate(seed.credentials)
        ),
    )


def _session(reader_id: str, seed: SessionSeed) -> Session:
    return Session(
        id=str(uuid5(NAMESPACE_URL, f"{reader_id}/{seed.start.isoformat()}/{seed.end.isoformat()}")),
        reader_id=reader_id,
        starts_at=seed.start,
        ends_at=seed.end,
        capacity_reads=seed.capacity_reads,
        capacity_minutes=seed.capacity_minutes,
    )
