"""Loads the seed files into the database at start. An entry is applied once per content.

What the API changed afterwards survives a restart, until the entry itself changes; a credential that was revoked,
or a reader that was made inactive, stays so whatever the file says. A credential that is taken out of the file ends.
"""

import hashlib
from dataclasses import replace
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
            if _is_news(tx, "reader", reader.id, reader.model_copy(update={"sessions": (), "credentials": ()})):
                present = tx.readers.get(reader.id)
                tx.readers.put(_reader(reader, is_active=present is None or present.active))
            _load_credentials(tx, reader)
            for session in (_session(reader.id, entry) for entry in reader.sessions):
                if _is_news(tx, "session", session.id, repr(session)):
                    tx.readers.put_session(session)


def _load_credentials(tx: SqlTransaction, reader: ReaderSeed) -> None:
    """Each by its id: new ones are added, changed ones get their new times, missing ones end as they begin."""
    credentials = _credentials(reader)
    for credential in credentials:
        is_news = _is_news(tx, "credential", f"{reader.id}/{credential.id}", repr(credential))
        if is_news and not tx.readers.set_validity(credential):
            tx.readers.add_credential(reader.id, credential)
    named = {f"{reader.id}/{credential.id}" for credential in credentials}
    of_reader = (t.seed.c.kind == "credential", t.seed.c.key.startswith(f"{reader.id}/", autoescape=True))
    known = set(tx.connection.execute(select(t.seed.c.key).where(*of_reader)).scalars())
    held = {credential.id: credential for credential in _held(tx, reader.id)}
    for key in known - named:
        gone = held.get(key.partition("/")[2])
        if gone is not None and _is_news(tx, "credential", key, "not in the file"):
            tx.readers.set_validity(replace(gone, valid_until=gone.valid_from))


def _held(tx: SqlTransaction, reader_id: str) -> tuple[Credential, ...]:
    reader = tx.readers.get(reader_id)
    return () if reader is None else reader.credentials


def _credentials(seed: ReaderSeed) -> tuple[Credential, ...]:
    """Known by reader, trust and start, so that neither their order nor their end makes another of them."""
    return tuple(
        Credential(
            id=str(uuid5(NAMESPACE_URL, f"{seed.id}/{entry.trust}/{entry.valid_from.isoformat()}")),
            trust=entry.trust,
            valid_from=entry.valid_from,
            valid_until=entry.valid_until,
        )
        for entry in seed.credentials
    )


def _is_news(tx: SqlTransaction, kind: str, key: str, entry: Settings | str) -> bool:
    """Whether this entry was not applied with this content before; remembers that it now is."""
    content = entry if isinstance(entry, str) else entry.model_dump_json()
    digest = hashlib.sha256(content.encode()).hexdigest()
    row = select(t.seed.c.digest).where(t.seed.c.kind == kind, t.seed.c.key == key)
    if tx.connection.execute(row).scalar_one_or_none() == digest:
        return False
    upsert(tx.connection, t.seed, ["kind", "key"], {"kind": kind, "key": key, "digest": digest})
    return True


def _reader(seed: ReaderSeed, *, is_active: bool) -> Reader:
    return Reader(
        id=seed.id,
        name=seed.name,
        registration=seed.registration,
        employer=seed.employer,
        modalities=frozenset(seed.modalities),
        subspecialties=frozenset(seed.subspecialties),
        workstation=Workstation(seed.workstation.node, seed.workstation.ae_title),
        active=is_active,
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
