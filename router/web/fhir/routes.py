"""`POST /fhir/DiagnosticReport`: a report in FHIR R4 JSON, answered truly by an OperationOutcome.

201 it was accepted; 202 it was kept and waits for a person; 200 it says nothing new; 4xx it was not taken, with what is
wrong and where.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from dicom_nodes.foundation.event_log import event_log
from router.flows.human_queue import About, ask_a_person
from router.flows.take_refused import RefusedCodes, raise_for_refused, study_meant
from router.flows.take_report import take_report
from router.model.errors import NotFound
from router.model.record import Entry
from router.model.report import AlertCode, Disposition, Original, Report, ReportAuthor
from router.rules.report_matching import ReportIdentity
from router.store.tokens import Caller
from router.web.errors import responses
from router.web.fhir.diagnostic_report import Sender, report_id_of, report_of
from router.web.fhir.outcome import MEDIA_TYPE, Issue, ResourceRefused, issues_of, outcome, require_characters
from router.web.fhir.refused_claims import claimed_codes, claimed_identity, may_change
from router.web.fhir.resources import DiagnosticReport
from router.web.security import require
from router.web.services import Services, WithServices

router = APIRouter(prefix="/fhir", tags=["fhir"])

LARGEST_BYTES = 48 << 20
_LARGEST_KEPT_BYTES = 8 << 20
_JSON = {MEDIA_TYPE, "application/json", "application/json+fhir"}
_ANY_BYTES = "application/octet-stream"
"""How an original is handed out that came as anything: nothing is made of it in a browser."""
_TOO_LONG = Issue("too-long", f"at most {LARGEST_BYTES} bytes are taken; only the beginning is kept")
ReportCaller = Annotated[Caller, Depends(require("node", "reader"))]


@router.post(
    "/DiagnosticReport",
    summary="File a report as FHIR",
    status_code=201,
    response_class=JSONResponse,
    responses={
        **responses(404),
        200: {"description": "Known already, or says nothing new"},
        202: {"description": "Kept; waits for a person, for the reasons given"},
        400: {"description": "No JSON, or no DiagnosticReport"},
        413: {"description": "Too large"},
        415: {"description": "Not FHIR JSON (XML, say): not taken, but kept for a person who must act"},
        422: {"description": "Cannot be taken: what and where"},
    },
    openapi_extra={"requestBody": {"required": True, "content": {MEDIA_TYPE: {"schema": {"type": "object"}}}}},
)
async def post_diagnostic_report(request: Request, services: WithServices, caller: ReportCaller) -> JSONResponse:
    """A DiagnosticReport (R4) of a node's reading system, or of a reader's own.

    The text is `presentedForm` (text/plain, text/html or application/pdf) and `conclusion`. Patient, order, study and
    interpreter are contained, or referenced by identifier. The fencing token of a claimed read may stand in
    `identifier` (system `urn:readacross:transaction-uid`).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    original = bytearray()
    async for portion in request.stream():
        original += portion
        if len(original) > LARGEST_BYTES:
            return await run_in_threadpool(_refused_unread, services, caller, bytes(original), _TOO_LONG, 413)
    return await run_in_threadpool(_take if kind in _JSON else _refused_in_kind, services, caller, bytes(original))


def _take(services: Services, caller: Caller, original: bytes) -> JSONResponse:
    try:
        body = json.loads(original)
    except (ValueError, RecursionError):
        return _refused_unread(services, caller, original, Issue("structure", "the body is not JSON in UTF-8"), 400)
    sender = _sender(services, caller)
    if not isinstance(body, dict) or body.get("resourceType") != "DiagnosticReport":
        issue = Issue("structure", "expected a DiagnosticReport", "DiagnosticReport.resourceType")
        claims = _Claims(seen=b"conclusionCode" not in original)  # a Bundle may hold one, say
        return _refused(services, caller, sender, claims, original, [issue], 400)
    try:
        require_characters(body)
        report = report_of(DiagnosticReport.model_validate(body), sender, original, services.now())
    except RecursionError:
        issue = Issue("structure", "the resource is nested too deep")
        return _refused(services, caller, sender, _claims(body), original, [issue], 400)
    except ValidationError as error:
        return _refused(services, caller, sender, _claims(body), original, issues_of(error))
    except ResourceRefused as refusal:
        return _refused(services, caller, sender, _claims(body), original, refusal.issues)
    return _answer(*_keep(services, report, original))


def _sender(services: Services, caller: Caller) -> Sender:
    if caller.role == "node":
        return Sender(caller.subject, caller.name, None)
    with services.store.read() as tx:
        reader = tx.readers.get(caller.subject)
    if reader is None:
        raise NotFound("the token's reader is not known")
    return Sender(None, caller.name, ReportAuthor(reader.registration, reader.name))


def _keep(services: Services, report: Report, original: bytes) -> tuple[Report, bool]:
    """The report as it is kept, and whether it was known before; original and report are one commit."""
    with services.store.write() as tx:
        known = tx.reports.get(report.id)
        if known is not None:
            return known, True
        tx.originals.add(Original(report.id, MEDIA_TYPE, report.original_digest or "", original, report.received_at))
        return take_report(tx, report, services.now()), False


def _answer(report: Report, known: bool) -> JSONResponse:
    headers = {"Location": f"/reports/{report.id}"}
    if report.disposition is Disposition.WAITING:
        words = f"kept as {report.id}; it waits for a person and has not gone on: {'; '.join(report.reasons)}"
        return outcome([Issue("incomplete", words, severity="warning")], 202, headers)
    if report.disposition is Disposition.ACCEPTED:
        words = f"accepted as {report.id}, version {report.version} of its study"
        return outcome([Issue("informational", words, severity="information")], 200 if known else 201, headers)
    words = f"kept as {report.id}; it goes no further: {'; '.join(report.reasons)}"
    return outcome([Issue("informational", words, severity="information")], 200, headers)


@dataclass(frozen=True, slots=True)
class _Claims:
    """What a refused body says of alerts and of whom; not `seen`: it may name alert codes that nobody could read."""

    codes: tuple[AlertCode, ...] = ()
    seen: bool = False
    identity: ReportIdentity | None = None
    changes: bool = True


def _claims(body: dict[str, object]) -> _Claims:
    codes, seen = claimed_codes(body)
    return _Claims(codes, seen, claimed_identity(body), may_change(body))


def _refused_in_kind(services: Services, caller: Caller, original: bytes) -> JSONResponse:
    """It came as something else than JSON: kept whole, and a person reads it and telephones (ADR 130)."""
    issue = Issue("not-supported", f"expected the content type {MEDIA_TYPE}")
    if not original.strip():
        return outcome([issue], 415)
    sender = _sender(services, caller)
    return _refused(services, caller, sender, _Claims(), original, [issue], 415, _ANY_BYTES)


def _refused_unread(services: Services, caller: Caller, original: bytes, issue: Issue, status: int) -> JSONResponse:
    """Nobody could look for alerts in it (it was cut off, perhaps): a person reads it and telephones."""
    if not original.strip():
        return outcome([issue], status)
    sender = _sender(services, caller)
    return _refused(services, caller, sender, _Claims(), original[:_LARGEST_KEPT_BYTES], [issue], status)


def _refused(
    services: Services,
    caller: Caller,
    sender: Sender,
    claims: _Claims,
    original: bytes,
    issues: Sequence[Issue],
    status: int = 422,
    media_type: str = MEDIA_TYPE,
) -> JSONResponse:
    """Say what is wrong, and keep the original for a person: the sender may never look at its errors (ADR 105).

    Alerts that it names wait for nobody (ADR 122).
    """
    refusal = ResourceRefused(tuple(issues))
    now = services.now()
    digest = hashlib.sha256(original).hexdigest()
    refusal_id = report_id_of(replace(sender, subject=f"refused {sender.subject}"), original)
    with services.store.write() as tx:
        if tx.originals.get(refusal_id) is None:
            tx.originals.add(Original(refusal_id, media_type, digest, original, now))
            detail = {"channel": "fhir", "reason": str(refusal), "refusal_id": refusal_id, "original_sha256": digest}
            tx.ledger.append(Entry("report.refused", now, caller.name, node=sender.node, detail=detail))
            reason = (
                f"a report by FHIR from {caller.name} could not be read: {refusal}. "
                f"The original is kept: GET /reports/{refusal_id}/original"
            )
            ask_a_person(tx, "report_refused", reason, refusal_id, now, About(node=sender.node))
            codes = tuple(code for code in claims.codes if tx.alert_codes.ask(code))
            kept = f"GET /reports/{refusal_id}/original"
            of = RefusedCodes(refusal_id, caller.name, sender.node, kept, codes, claims.seen, claims.changes)
            raise_for_refused(tx, of, study_meant(tx, claims.identity), now)
    event_log().warning("report.refused", channel="fhir", issues=len(refusal.issues))
    kept_for_whom = f"not taken, but kept as {refusal_id}: it waits for a person, who must act before anybody reads it"
    return outcome([*refusal.issues, Issue("informational", kept_for_whom, severity="information")], status)
