"""Loads the seed files into the database at start. An entry is applied once per content.

What the API changed afterwards survives a restart, until the entry itself changes; a credential that was revoked,
or a reader that was made inactive, stays so whatever the file says. A credential that is taken out of the file ends.
"""

import hashlib
from dataclasses import replace
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import select

from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.foundation.settings_file import Settings
from router.code_map import ExamCodeRow
from router.config import ReaderSeed, RouterSettings, SessionSeed, TrustSeed
from router.model.aid import AidLimits
from router.model.delivery import ReturnPolicy
from router.model.exam import Exam
from router.model.pathway import Pathway
from router.model.reader import Credential, Level
from router.model.session import Session, SessionKind
from router.model.trust import Node, Trust
from router.rules.rota import without_overlaps
from router.rules.seed_reader import seeded_reader
from router.store import tables as t
from router.store.statements import upsert
from router.store.transaction import SqlStore, SqlTransaction


def load_seeds(store: SqlStore, settings: RouterSettings) -> None:
    """Bring trusts, nodes, readers and sessions of the seed files into the database."""
    with store.write() as tx:
        for trust in settings.network.trusts:
            if _is_news(tx, "trust", trust.ods_code, _content_of_trust(trust)):
                returns = ReturnPolicy(**trust.returns.model_dump())
                tx.network.put_trust(Trust(trust.ods_code, trust.name, returns))
        for node in settings.network.nodes:
            if _is_news(tx, "node", node.ods_code, node):
                tx.network.put_node(Node(node.ods_code, node.ae_title, node.host, node.port))
        for reader in settings.readers.readers:
            if _is_news(tx, "reader", reader.id, _content(reader)):
                tx.readers.put(seeded_reader(reader, tx.readers.get(reader.id)))
            _load_credentials(tx, reader)
            for place, session in enumerate(_session(reader.id, entry) for entry in reader.sessions):
                if _is_news(tx, "session", session.id, _content_of_session(session)):
                    _warn_of_overlap(tx, settings, f"{reader.id}.sessions[{place}]", session)
                    tx.readers.put_session(session)
        _load_agreements(tx, settings)


def _warn_of_overlap(tx: SqlTransaction, settings: RouterSettings, key: str, session: Session) -> None:
    """The file was written without knowing what was booked since; both stand, and a person has to look."""
    _, met = without_overlaps([(key, session)], tx.readers.sessions(session.reader_id))
    for remark in met:
        file = settings.router.seeds.readers.name
        event_log().warning("seed.warning", file=file, key=f"readers.{remark.row}", reason=remark.reason)


def _load_agreements(tx: SqlTransaction, settings: RouterSettings) -> None:
    """Pathways, aid limits and code maps; a map is replaced as a whole when its file changed."""
    for pathway in settings.pathways.pathways:
        if _is_news(tx, "pathway", pathway.id, pathway):
            kinds = frozenset(SessionKind(kind) for kind in pathway.session_kinds)
            tx.exams.put_pathway(
                Pathway(pathway.id, pathway.target_minutes, pathway.weight, pathway.acute, kinds, pathway.may_wait)
            )
    for aid in settings.aid.aid:
        if _is_news(tx, "aid", aid.trust, aid):
            values = aid.model_dump() | {"reads_for": frozenset(aid.reads_for)}
            tx.aid.put_limits(AidLimits(**values))
    for trust, rows in settings.codes.items():
        if _is_news(tx, "codes", trust, "\n".join(row.model_dump_json() for row in rows)):
            tx.exams.replace_map(trust, [exam_of(trust, row) for row in rows])


def exam_of(trust: str, row: ExamCodeRow) -> Exam:
    """The row of a trust's code map as the domain knows it."""
    return Exam(
        trust=trust,
        local_code=row.local_code,
        scheme=row.scheme,
        standard_code=row.standard_code,
        standard_scheme=row.standard_scheme,
        group=row.group,
        modality=row.modality,
        body_part=row.body_part,
        subspecialty=row.subspecialty,
        minimum_level=Level[row.minimum_level.upper()],
        expected_minutes=row.minutes,
        sigma=row.sigma,
        pathway=row.pathway,
    )


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


_LATER_FIELDS = {
    "profession",
    "levels",
    "exam_scope",
    "max_run",
    "break_after_minutes",
    "display_valid_until",
    "delivery",
    "outsourcer",
}
"""Of a reader's entry. One that names none of them has the content it had before they existed: not news."""


def _content(seed: ReaderSeed) -> str:
    plain = seed.model_copy(update={"sessions": (), "credentials": ()})
    return plain.model_dump_json(exclude=_LATER_FIELDS - seed.model_fields_set)


def _content_of_trust(seed: TrustSeed) -> str:
    """As before trusts said how they want their reports, where this one does not."""
    return seed.model_dump_json(exclude={"returns"} - seed.model_fields_set)


def _content_of_session(session: Session) -> str:
    """As `repr` said it before sessions had a kind, so that a session that was cancelled does not come back."""
    names = ("id", "reader_id", "starts_at", "ends_at", "capacity_reads", "capacity_minutes")
    said = ", ".join(f"{name}={getattr(session, name)!r}" for name in names)
    kind = "" if session.kind is SessionKind.ELECTIVE else f", kind={session.kind.value}"
    return f"Session({said}{kind})"


def _session(reader_id: str, seed: SessionSeed) -> Session:
    return Session(
        id=str(uuid5(NAMESPACE_URL, f"{reader_id}/{seed.start.isoformat()}/{seed.end.isoformat()}")),
        reader_id=reader_id,
        starts_at=seed.start,
        ends_at=seed.end,
        capacity_reads=seed.capacity_reads,
        capacity_minutes=seed.capacity_minutes,
        kind=SessionKind(seed.kind),
    )
