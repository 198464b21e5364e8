"""A reader files a report through the API. One that is refused is kept where it names an alert (ADR 122)."""

import json
from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy.exc import DataError
from starlette.concurrency import run_in_threadpool

from router.flows.human_queue import About, ask_a_person
from router.flows.second_read import Agreement
from router.flows.take_refused import RefusedCodes, raise_for_refused
from router.flows.take_report import decide, decide_second
from router.model.errors import Invalid, NotAllowed, NotFound, ReportHeld, RouterError
from router.model.read import Read
from router.model.record import Entry
from router.model.report import AlertCode, Disposition, Original, Report, ReportAuthor
from router.store.tokens import Caller
from router.store.transaction import SqlTransaction
from router.web.errors import responses
from router.web.messages import ReportBody, ReportView
from router.web.report_bodies import OriginalBytes, sections_of
from router.web.security import ReaderCaller
from router.web.services import Services, WithServices, services_of
from router.web.views import report_view

_LARGEST_KEPT_BYTES = 8 << 20


class KeepsRefusals(APIRoute):
    """Whatever is refused of a known reader is looked at for alert codes before the refusal is answered."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_and_keep(request: Request) -> Response:
            try:
                return await handle(request)
            except ReportHeld:
                raise  # it is kept already
            except (RequestValidationError, RouterError, DataError):
                caller: Caller | None = getattr(request.state, "caller", None)
                if caller is not None:
                    original, read_id = await request.body(), str(request.path_params["read_id"])
                    await run_in_threadpool(_keep_refused, await services_of(request), caller, read_id, original)
                raise

        return handle_and_keep


router = APIRouter(prefix="/reads", route_class=KeepsRefusals)


@router.post(
    "/{read_id}/report", tags=["reading"], summary="File a report", status_code=201, responses=responses(404, 409)
)
def post_report(
    read_id: str, body: ReportBody, original: OriginalBytes, services: WithServices, caller: ReaderCaller
) -> ReportView:
    """File a preliminary (`P`) or final (`F`) report under the fencing token, or change the one that stands.

    Under the token that it was signed with, a correction (`C`), a cancellation (`X`) or an addendum may follow.

    A report that cannot be accepted (stale token, no longer entitled, a final one stands) is kept, put into the human
    queue and answered 409 `report_held`.
    """
    with services.store.write() as tx:
        filed = _file(tx, services, caller, read_id, body, original)
        view = report_view(tx, filed)
    if filed.disposition is Disposition.WAITING:
        raise ReportHeld(f"the report {filed.id} was kept and waits for a person: {'; '.join(filed.reasons)}")
    return view


def _file(
    tx: SqlTransaction, services: Services, caller: Caller, read_id: str, body: ReportBody, original: bytes
) -> Report:
    read = tx.reads.get(read_id)
    reader = tx.readers.get(caller.subject)
    study = tx.studies.get(read.study_instance_uid) if read is not None else None
    if read is None or reader is None or study is None:
        raise NotFound("no such read")
    now = services.now()
    agreement = _agreement(read, body)
    report = Report(
        id=body.report_id or str(uuid4()),
        node=None,
        channel="api",
        study_instance_uid=study.study_instance_uid,
        accession_number=study.accession_number,
        accession_issuer=study.accession_issuer,
        patient=study.patient,
        status=body.status,
        text=body.text,
        registration=reader.registration,
        author_name=reader.name,
        authored_at=now,
        received_at=now,
        transaction_uid=body.transaction_uid,
        alert_codes=tuple(AlertCode(code.value, code.scheme, code.text) for code in body.alert_codes),
        original_digest=sha256(original).hexdigest(),
        sections=tuple(sections_of(body)),
        authors=(ReportAuthor(reader.registration, reader.name),),
        addendum=body.addendum,
    )
    if tx.reports.add(report):
        tx.originals.add(Original(report.id, "application/json", report.original_digest or "", original, now))
        proofs = ("filed under the read's fencing token",)
        if read.second_of is not None:
            return decide_second(tx, report, study, read, proofs, agreement, now)
        return decide(tx, report, study, proofs, now)
    known = tx.reports.get(report.id)
    if known is None or _gist(known) != _gist(report):
        raise NotAllowed("this report_id belongs to another report")
    return known


def _agreement(read: Read, body: ReportBody) -> Agreement:
    if read.second_of is None:
        if body.agreement is not None:
            raise Invalid("agreement: only a second read's report agrees or disagrees with a first one")
        return Agreement.UNSTATED
    if body.agreement is None and body.status == "F":
        raise Invalid("agreement: the final report of a second read says concordant or discordant")
    return Agreement(body.agreement or Agreement.UNSTATED)


def _gist(report: Report) -> tuple[object, ...]:
    """What two filings under one report id must have in common."""
    return (
        report.study_instance_uid, report.text, report.status, report.registration, report.addendum, report.alert_codes
    )  # fmt: skip


def _keep_refused(services: Services, caller: Caller, read_id: str, original: bytes) -> None:
    """Keep a refused report that names an alert, or cannot be looked at; its alert goes on as of any other report.

    A form that was merely filled in badly is the reader's to put right: they have the answer before them.
    """
    codes, seen, changes = _codes_of(original)
    if not codes and seen:
        return
    digest, now = sha256(original).hexdigest(), services.now()
    key = sha256(f"{caller.name}\n{read_id}\n{digest}".encode()).hexdigest()[:32]
    where = f"GET /reports/{key}/original"
    with services.store.write() as tx:
        if tx.originals.get(key) is not None:
            return
        tx.originals.add(Original(key, "application/json", digest, original[:_LARGEST_KEPT_BYTES], now))
        detail = {"channel": "api", "refusal_id": key, "original_sha256": digest}
        tx.ledger.append(Entry("report.refused", now, caller.name, detail=detail))
        reason = f"a report through the API by {caller.name} was refused and names alert codes. It is kept: {where}"
        ask_a_person(tx, "report_refused", reason, key, now, About())
        read = tx.reads.get(read_id[:64])
        held = read is not None and any(past.reader_id == caller.subject for past in tx.reads.assignments(read.id))
        study = tx.studies.get(read.study_instance_uid) if read is not None and held else None
        raise_for_refused(tx, RefusedCodes(key, caller.name, None, where, codes, seen, changes), study, now)


def _codes_of(original: bytes) -> tuple[tuple[AlertCode, ...], bool, bool]:
    """The alert codes that the body names, whether those are all, and whether it may change an earlier report."""
    try:
        body = json.loads(original)
    except (ValueError, RecursionError):
        return (), b"alert" not in original, True
    said = body.get("alert_codes") if isinstance(body, dict) else None
    given = said if isinstance(said, list) else [] if said is None else [said]
    codes = [_code(one) for one in given]
    is_first = (
        isinstance(body, dict) and body.get("status") in ("P", "F", "X") and body.get("addendum") in (None, False)
    )
    return tuple(code for code in codes if code is not None), None not in codes, not is_first


def _code(said: object) -> AlertCode | None:
    value, scheme = (said.get("value"), said.get("scheme")) if isinstance(said, dict) else (None, None)
    if not isinstance(value, str) or not isinstance(scheme, str) or not (value and scheme):
        return None
    storable = value.isprintable() and scheme.isprintable() and len(value) + len(scheme) <= 400
    return AlertCode(value, scheme) if storable else None
