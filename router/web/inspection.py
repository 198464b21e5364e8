"""What happened and what waits: human queues, held reports, the ledger, the life of a read, health."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from router.flows import human_queue
from router.flows.accept_report import accept_held_report
from router.flows.missing_rules import why_no_rules
from router.flows.resend_work import resend
from router.model.errors import Invalid, NotFound
from router.model.report import Disposition
from router.rules.alert_states import ALERT_STATES, ALERT_TRANSITIONS, AlertPolicy, AlertTransition
from router.rules.read_states import STATES, TRANSITIONS, StatePolicy, Transition
from router.store import planner_rounds
from router.web.access_record import record_access, record_list
from router.web.errors import ErrorBody, responses
from router.web.messages import (
    AcceptBody,
    HealthView,
    LifeView,
    NoteBody,
    QueueItemView,
    ReportView,
    StateView,
    StudyTrace,
    TransitionView,
)
from router.web.security import Staff, StaffOrReader
from router.web.services import Services, WithServices
from router.web.views import item_view, report_view, traces

router = APIRouter()

_MISSED_ROUNDS = 3
_LONGEST_ROUND_S = 60.0
"""A planner that finished no round in the longer of both times does not work."""


@router.get("/human-queue", tags=["human queue"], summary="What waits for a person", responses=responses())
def get_queue(
    services: WithServices,
    _caller: Staff,
    kind: Annotated[str | None, Query(description="Only this kind", examples=["report_unmatched"])] = None,
    resolved: Annotated[bool, Query(description="Show the resolved ones instead")] = False,
) -> list[QueueItemView]:
    """Open items, oldest first: unmatched reports, parked orders, unmapped exams, overdue reads and the like."""
    with services.store.read() as tx:
        return [item_view(item) for item in tx.queue.listing(kind=kind, resolved=resolved)]


@router.post(
    "/human-queue/{item_id}/resolve", tags=["human queue"], summary="Resolve an item", responses=responses(404, 409)
)
def post_resolve(item_id: str, body: NoteBody, services: WithServices, caller: Staff) -> QueueItemView:
    """Close an item with what was done about it; the ledger keeps who said so.

    Refused (409) for a change of a patient that waits for two persons: it is closed by deciding that.
    """
    with services.store.write() as tx:
        return item_view(human_queue.resolve_item(tx, item_id, caller.name, body.note, services.now()))


@router.post(
    "/human-queue/{item_id}/resend",
    tags=["human queue"],
    summary="Try parked work again",
    responses=responses(404, 409),
)
def post_resend(item_id: str, body: NoteBody, services: WithServices, caller: Staff) -> QueueItemView:
    """Order the work again, and close the item. If it fails again, a new item appears.

    Images are sent only to whoever still holds the read they were ordered for; otherwise 409, and the item stays open.
    """
    with services.store.write() as tx:
        return item_view(resend(tx, item_id, caller.name, body.note, services.now()))


@router.get("/reports", tags=["reports"], summary="Reports of every read, and of none", responses=responses())
def get_reports(
    services: WithServices,
    caller: Staff,
    disposition: Annotated[Disposition | None, Query(description="WAITING: held for a person")] = None,
    after: Annotated[str | None, Query(description="Id of the last report of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[ReportView]:
    """Reports in the order they came in, with their texts and the reasons why some wait."""
    with services.store.read() as tx:
        shown = [report_view(tx, report) for report in tx.reports.listing(disposition, after, limit)]
    record_list(services, caller, "reports", [one.id for one in shown], disposition=disposition, after=after)
    return shown


@router.post(
    "/reports/{report_id}/accept", tags=["reports"], summary="Accept a held report", responses=responses(404, 409)
)
def post_accept(report_id: str, body: AcceptBody, services: WithServices, caller: Staff) -> ReportView:
    """Say which read a held final report is of; it becomes that read's report and goes home to the origin.

    Refused (409) where an identifier of the report contradicts the study, the author is unknown or not entitled now,
    a final report stands, the read is not the study's present one, or a conflict about the study is open. Whoever
    holds the read loses it. The ledger keeps who accepted and why.
    """
    with services.store.write() as tx:
        return report_view(
            tx, accept_held_report(tx, report_id, body.read_id, caller.name, body.reason, services.now())
        )


@router.get("/reports/{report_id}", tags=["reports"], summary="One report", responses=responses(404))
def get_report(report_id: str, services: WithServices, caller: Staff) -> ReportView:
    """A report as it came in, also one that waits for a person, with its reasons and deliveries.

    Who looked is recorded.
    """
    with services.store.write() as tx:
        report = tx.reports.get(report_id)
        if report is None:
            raise NotFound("no such report")
        of = [report.study_instance_uid] if report.study_instance_uid else []
        record_access(tx, services, caller, "a report", of, report_id)
        return report_view(tx, report)


@router.get("/ledger", tags=["ledger"], summary="A study's whole way", responses=responses(404))
def get_ledger(
    services: WithServices,
    caller: Staff,
    study_instance_uid: Annotated[str | None, Query(examples=["1.2.826.0.1.3680043.8.498.1"])] = None,
    accession_number: Annotated[str | None, Query()] = None,
    accession_issuer: Annotated[str | None, Query(description="Whose accession number it is")] = None,
) -> list[StudyTrace]:
    """Every step of a study, by Study Instance UID or by accession number.

    Two trusts may use the same accession number: without its issuer each match is listed under its trust.
    """
    if (study_instance_uid is None) == (accession_number is None):
        raise Invalid("give either study_instance_uid or accession_number")
    with services.store.read() as tx:
        found = traces(tx, study_instance_uid, accession_number, accession_issuer, services.now())
    if not found:
        raise NotFound("no such study")
    record_list(services, caller, "the ledger", [one.study_instance_uid for one in found])
    return found


@router.get("/read-states", tags=["reads"], summary="The life of a read", responses=responses())
def get_read_states(_caller: StaffOrReader) -> LifeView:
    """The table the router works by: states with owner and timeout, and the transitions between them."""
    return _life(STATES, [(row, sorted(row.who)) for row in TRANSITIONS])


@router.get("/alert-states", tags=["alerts"], summary="The life of an alert", responses=responses())
def get_alert_states(_caller: StaffOrReader) -> LifeView:
    """The table the alerts go by: states with owner and timeout, and the transitions between them."""
    return _life(ALERT_STATES, [(row, [row.who]) for row in ALERT_TRANSITIONS])


def _life(
    states: Mapping[Any, StatePolicy] | Mapping[Any, AlertPolicy],
    transitions: Sequence[tuple[Transition | AlertTransition, Sequence[str]]],
) -> LifeView:
    """A table of states, and its rows with who may take each."""
    return LifeView(
        states=[
            StateView(
                state=state,
                means=policy.means,
                owner=policy.owner,
                timeout=policy.timeout,
                on_timeout=policy.on_timeout or ("human queue" if policy.timeout else None),
            )
            for state, policy in states.items()
        ],
        transitions=[
            TransitionView(
                event=row.event,
                sources=sorted(row.sources),
                target=row.target,
                who=list(who),
                guard=row.guard,
                records=row.records,
            )
            for row, who in transitions
        ],
    )


@router.get(
    "/health",
    tags=["health"],
    summary="Whether the router works",
    responses={503: {"model": ErrorBody, "description": "The database does not answer"}},
)
def get_health(services: WithServices) -> HealthView:
    """200 when a query of the database just succeeded; needs no token.

    `degraded` says that no reads are given out, that nobody climbs the ladders of alerts, or that no routing rules
    apply where two persons should have let some in.
    """
    with services.store.read() as tx:
        log_id = tx.orders.log_id()
        planned_at = planner_rounds.last(tx.connection)
        alert_due = tx.alerts.oldest_due()
        no_rules = why_no_rules(tx) if services.settings.router.rules_need_second_person else None
    reasons = _why_degraded(services, planned_at) + _why_alerts_wait(services, alert_due)
    reasons += [] if no_rules is None else [no_rules]
    return HealthView(
        state="degraded" if reasons else "ok",
        reasons=reasons,
        planned_at=planned_at,
        database=services.store.database.engine.dialect.name,
        log_id=log_id,
    )


def _why_degraded(services: Services, planned_at: datetime | None) -> list[str]:
    """A router that has just started has had no chance to plan yet."""
    every_s = services.settings.router.plan_every_s
    since = max(services.started_at, planned_at or services.started_at)
    if (services.now() - since).total_seconds() <= max(_MISSED_ROUNDS * every_s, _LONGEST_ROUND_S):
        return []
    return [f"no planner has finished a round since {since:%Y-%m-%d %H:%M:%S} UTC; one is due every {every_s:g} s"]


def _why_alerts_wait(services: Services, due: datetime | None) -> list[str]:
    """Proved by the work itself: an alert that is due and not looked at, by whichever replica."""
    since = services.now() if due is None else max(services.started_at, due)
    if (services.now() - since).total_seconds() <= _LONGEST_ROUND_S:
        return []
    return [f"an alert is due since {since:%Y-%m-%d %H:%M:%S} UTC and no replica has looked at it: telephone"]
