"""Reports that wait for a person: both sides side by side, a match by hand, and the second look it may need."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from router.flows.check_match import confirm_match, propose_match, reject_match
from router.flows.report_candidates import candidates, identity_in
from router.model.errors import NotFound
from router.model.report import HandMatch, Report
from router.model.study import Study
from router.rules.report_matching import as_known_to, contradictions
from router.rules.report_sides import compare
from router.store.transaction import SqlTransaction
from router.web.access_record import record_access
from router.web.errors import responses
from router.web.messages import AcceptBody, ReasonBody, ReportView
from router.web.report_messages import ComparedView, ProposedView, SidesView, SideView
from router.web.security import Staff
from router.web.services import WithServices
from router.web.views import report_view

router = APIRouter(prefix="/reports", tags=["reports"])

_MOST_CANDIDATES = 20
ReportId = Annotated[str, Path(max_length=64)]


@router.get("/{report_id}/sides", summary="A held report beside its candidates", responses=responses(404))
def get_sides(report_id: ReportId, services: WithServices, caller: Staff) -> SidesView:
    """What the report says, and every read it may be of: by Study UID, by accession, or of the same patient.

    Who looked is recorded.
    """
    with services.store.write() as tx:
        report = tx.reports.get(report_id)
        if report is None:
            raise NotFound("no such report")
        match = tx.hand_matches.get(report_id)
        studies = _studies(tx, report)
        shown = [study.study_instance_uid for study in studies]
        record_access(tx, services, caller, "a held report beside its candidates", shown, report_id)
        return SidesView(
            report_id=report.id,
            reasons=list(report.reasons),
            channel=report.channel,
            node=report.node,
            status=report.status,
            addendum=report.addendum,
            registration=report.registration,
            author_name=report.author_name,
            authored_at=report.authored_at,
            received_at=report.received_at,
            text=report.text,
            candidates=[_side(tx, report, study) for study in studies],
            proposed=None if match is None else _proposed(match),
        )


@router.get(
    "/{report_id}/original",
    summary="A report's original bytes",
    responses={**responses(404), 200: {"content": {"application/octet-stream": {}}}},
    response_class=Response,
)
def get_original(report_id: ReportId, services: WithServices, caller: Staff) -> Response:
    """As it came to the router (FHIR, API), with its SHA-256; what came by a node is kept at that node.

    Who looked is recorded.
    """
    with services.store.write() as tx:
        found = tx.originals.get(report_id)
        if found is None:
            raise NotFound("no original of this report is here; what came by a node is kept there")
        report = tx.reports.get(report_id)
        of = [report.study_instance_uid] if report is not None and report.study_instance_uid else []
        record_access(tx, services, caller, "a report's original", of, report_id)
    headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff", "X-SHA256": found.digest}
    return Response(found.original, media_type=found.media_type, headers=headers)


@router.post(
    "/{report_id}/match", summary="Match it against its identity", status_code=202, responses=responses(404, 409)
)
def post_match(report_id: ReportId, body: AcceptBody, services: WithServices, caller: Staff) -> ProposedView:
    """Say which read a held report is of although an identifier contradicts. Another person must confirm it."""
    with services.store.write() as tx:
        return _proposed(propose_match(tx, report_id, body.read_id, caller.name, body.reason, services.now()))


@router.post("/{report_id}/match/confirm", summary="Check a match by hand", responses=responses(404, 409))
def post_confirm(report_id: ReportId, body: ReasonBody, services: WithServices, caller: Staff) -> ReportView:
    """A second person has looked at both sides and agrees: the report becomes the read's and goes home."""
    with services.store.write() as tx:
        return report_view(tx, confirm_match(tx, report_id, caller.name, body.reason, services.now()))


@router.post(
    "/{report_id}/match/reject", summary="Reject a match by hand", status_code=204, responses=responses(404, 409)
)
def post_reject(report_id: ReportId, body: ReasonBody, services: WithServices, caller: Staff) -> None:
    """The proposed match is wrong; the report goes on waiting."""
    with services.store.write() as tx:
        reject_match(tx, report_id, caller.name, body.reason, services.now())


def _studies(tx: SqlTransaction, report: Report) -> list[Study]:
    found = {study.study_instance_uid: study for study in candidates(tx, identity_in(report))}
    for study in tx.studies.possibly_of(report.patient, _MOST_CANDIDATES):
        found.setdefault(study.study_instance_uid, study)
    if (match := tx.hand_matches.get(report.id)) is not None and (read := tx.reads.get(match.read_id)) is not None:
        proposed = tx.studies.get(read.study_instance_uid)
        if proposed is not None:
            found.setdefault(proposed.study_instance_uid, proposed)
    return list(found.values())


def _side(tx: SqlTransaction, report: Report, study: Study) -> SideView:
    reads = tx.reads.of_study(study.study_instance_uid)
    read = reads[-1] if reads else None
    identity = identity_in(report)
    return SideView(
        read_id=None if read is None else read.id,
        study_instance_uid=study.study_instance_uid,
        origin=study.origin,
        description=study.description,
        study_time=study.study_time,
        state=None if read is None else read.state,
        holder=None if read is None or read.lease is None else read.lease.reader_id,
        compared=[
            ComparedView(what=one.what, report=one.report, read=one.read, verdict=one.verdict)
            for one in compare(identity, as_known_to(identity, study))
        ],
        contradictions=list(contradictions(identity, study)),
    )


def _proposed(match: HandMatch) -> ProposedView:
    return ProposedView(
        read_id=match.read_id,
        proposed_by=match.proposed_by,
        proposed_at=match.proposed_at,
        reason=match.reason,
        contradictions=list(match.contradictions),
    )
