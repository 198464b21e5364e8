"""Readers, what they are entitled to, and when they work."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Path, Query

from router.model.errors import Conflict, Invalid, NotFound
from router.model.reader import Credential, DeliveryMode, Level, Outsourcer, Profession, Reader, Workstation
from router.model.session import Session, SessionKind
from router.rules.eligibility import display_problems
from router.rules.rota import capacity_problem, session_warnings, without_overlaps
from router.store.transaction import SqlTransaction
from router.web.errors import responses
from router.web.known_names import refuse_unknown_exams
from router.web.messages import (
    BookedSessionView,
    CredentialBody,
    CredentialView,
    PutReaderView,
    ReaderBody,
    ReaderView,
    SessionBody,
    SessionView,
)
from router.web.security import Staff
from router.web.services import WithServices
from router.web.views import credential_view, reader_view, session_view

router = APIRouter()

ReaderId = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", description="The reader's id")]


@router.get("/readers", tags=["readers"], summary="All readers", responses=responses())
def get_readers(services: WithServices, _caller: Staff) -> list[ReaderView]:
    """Every reader with all credentials, also expired and revoked ones."""
    with services.store.read() as tx:
        return [reader_view(reader) for reader in tx.readers.all()]


@router.get("/readers/{reader_id}", tags=["readers"], summary="One reader", responses=responses(404))
def get_reader(reader_id: ReaderId, services: WithServices, _caller: Staff) -> ReaderView:
    """A reader with all credentials."""
    with services.store.read() as tx:
        return reader_view(_known(tx, reader_id))


@router.put("/readers/{reader_id}", tags=["readers"], summary="Add or change a reader", responses=responses())
def put_reader(reader_id: ReaderId, body: ReaderBody, services: WithServices, _caller: Staff) -> PutReaderView:
    """Add a reader, or change one; credentials have calls of their own. An inactive reader gets and signs nothing.

    A modality, subspecialty or scope that no exam has is refused (422), unless the reader has it already.
    """
    with services.store.write() as tx:
        namesake = tx.readers.by_registration(body.registration)
        if namesake is not None and namesake.id != reader_id:
            raise Invalid("registration: is another reader's")
        if body.employer not in {trust.ods_code for trust in tx.network.trusts()}:
            raise Invalid("employer: expected a known trust")
        if tx.network.node(body.workstation.node) is None:
            raise Invalid("workstation.node: expected a known node")
        present = tx.readers.get(reader_id)
        known = {} if present is None else present.speeds
        reader = _reader(reader_id, body, known if body.speeds is None else body.speeds)
        refuse_unknown_exams(tx, services, reader, present)
        tx.readers.put(reader)
        reader = _known(tx, reader_id)
    services.wake_planner()
    warnings = [f"{problem}; nothing is given out" for problem in display_problems(reader, services.now())]
    return PutReaderView(**reader_view(reader).model_dump(), warnings=warnings)


@router.post(
    "/readers/{reader_id}/credentials",
    tags=["readers"],
    summary="Entitle a reader to read for a trust",
    status_code=201,
    responses=responses(404),
)
def post_credential(
    reader_id: ReaderId, body: CredentialBody, services: WithServices, _caller: Staff
) -> CredentialView:
    """Give a credential. It is checked when a read is assigned, when it is claimed and when the report is signed.

    Given again, with the same trust and validity, it is the one that is there already.
    """
    if body.valid_until <= services.now():
        raise Invalid("valid_until: the credential has expired already")
    credential = Credential(str(uuid4()), body.trust, body.valid_from, body.valid_until)
    with services.store.write() as tx:
        reader = tx.readers.get(reader_id, lock=True)  # of two that ask at once the second finds the first one's
        if reader is None:
            raise NotFound("no such reader")
        if body.trust not in {trust.ods_code for trust in tx.network.trusts()}:
            raise Invalid("trust: expected a known trust")
        same = [held for held in reader.credentials if replace(credential, id=held.id) == held]
        if same:
            return credential_view(same[0])
        tx.readers.add_credential(reader_id, credential)
    services.wake_planner()
    return credential_view(credential)


@router.delete(
    "/readers/{reader_id}/credentials/{credential_id}",
    tags=["readers"],
    summary="Revoke a credential",
    status_code=204,
    responses=responses(404),
)
def delete_credential(reader_id: ReaderId, credential_id: str, services: WithServices, _caller: Staff) -> None:
    """Revoke from now on; the credential stays on record."""
    with services.store.write() as tx:
        if not tx.readers.revoke(reader_id, credential_id, services.now()):
            raise NotFound("no such credential of this reader")


@router.get("/sessions", tags=["sessions"], summary="Booked reading time", responses=responses())
def get_sessions(
    services: WithServices,
    _caller: Staff,
    reader_id: Annotated[str | None, Query(description="Only this reader's")] = None,
) -> list[SessionView]:
    """Sessions, earliest first."""
    with services.store.read() as tx:
        return [session_view(session) for session in tx.readers.sessions(reader_id)]


@router.post("/sessions", tags=["sessions"], summary="Book reading time", status_code=201, responses=responses(409))
def post_session(body: SessionBody, services: WithServices, _caller: Staff) -> BookedSessionView:
    """Book a block of time with room for so many reads or minutes. It may not overlap another one of the reader.

    A session that is over, outside the reader's credentials or in leave is booked with a warning.
    """
    session = Session(
        id=str(uuid4()),
        reader_id=body.reader_id,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        capacity_reads=body.capacity_reads,
        capacity_minutes=body.capacity_minutes,
        kind=SessionKind(body.kind),
        place=None if body.place is None else Workstation(body.place.node, body.place.ae_title),
    )
    with services.store.write() as tx:
        reader = tx.readers.get(body.reader_id)
        if reader is None:
            raise Invalid("reader_id: expected a known reader")
        if problem := capacity_problem(session, reader):
            raise Invalid(problem)
        if body.place is not None and tx.network.node(body.place.node) is None:
            raise Invalid("place.node: expected a known node")
        _, met = without_overlaps([("1", session)], tx.readers.sessions(body.reader_id))
        if met:
            raise Conflict(met[0].reason)
        tx.readers.put_session(session)
        leave = tx.rota.leave(body.reader_id)
    services.wake_planner()
    warnings = [warning.reason for warning in session_warnings("1", session, reader, leave, services.now())]
    return BookedSessionView(**session_view(session).model_dump(), warnings=warnings)


@router.delete(
    "/sessions/{session_id}", tags=["sessions"], summary="Cancel a session", status_code=204, responses=responses(404)
)
def delete_session(session_id: str, services: WithServices, _caller: Staff) -> None:
    """No more reads are given to it; those it has stay with their reader."""
    with services.store.write() as tx:
        if not tx.readers.remove_session(session_id):
            raise NotFound("no such session")


def _reader(reader_id: str, body: ReaderBody, speeds: Mapping[str, float]) -> Reader:
    outsourcer = None
    if body.outsourcer is not None:
        outsourcer = Outsourcer(body.outsourcer.price_pence_per_read, body.outsourcer.queue_limit)
    return Reader(
        id=reader_id,
        name=body.name,
        registration=body.registration,
        employer=body.employer,
        modalities=frozenset(body.modalities),
        subspecialties=frozenset(body.subspecialties),
        workstation=Workstation(body.workstation.node, body.workstation.ae_title),
        active=body.active,
        profession=Profession(body.profession),
        levels={name: Level[level.upper()] for name, level in body.levels.items()},
        exam_scope=None if body.exam_scope is None else frozenset(body.exam_scope),
        speeds=speeds,
        max_run=body.max_run,
        break_after_minutes=body.break_after_minutes,
        display_valid_until=body.display_valid_until,
        delivery=DeliveryMode(body.delivery),
        outsourcer=outsourcer,
    )


def _known(tx: SqlTransaction, reader_id: str) -> Reader:
    reader = tx.readers.get(reader_id)
    if reader is None:
        raise NotFound("no such reader")
    return reader
