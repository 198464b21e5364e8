"""Reads: what there is to report, who has it, and what a reader or coordinator does with it."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query

from router.flows import hold_lease
from router.flows.next_read import claim_next
from router.flows.priors import priors_of
from router.model.errors import NotAllowed, NotFound
from router.model.read import Read, ReadState, Visibility
from router.model.reader import Level
from router.rules.planning import ListLengths
from router.rules.read_states import Event
from router.store.tokens import Caller
from router.store.transaction import SqlTransaction
from router.web.access_record import record_list
from router.web.errors import responses
from router.web.messages import (
    ClaimToken,
    ClaimView,
    DeclineBody,
    HoldBody,
    OrderView,
    ReadView,
    ReasonBody,
    ReportView,
    RouteBody,
    WhyView,
)
from router.web.open_alerts import open_alerts
from router.web.security import ReaderCaller, Staff, StaffOrReader
from router.web.services import Services, WithServices
from router.web.views import order_view, priors_view, read_view, report_view
from router.web.why import why_view

router = APIRouter(prefix="/reads")


@router.get("", tags=["reads"], summary="List reads", responses=responses())
def get_reads(
    services: WithServices,
    caller: StaffOrReader,
    state: Annotated[list[ReadState] | None, Query(description="Only in these states")] = None,
    trust: Annotated[str | None, Query(description="ODS code of the origin", examples=["RXN"])] = None,
    reader: Annotated[str | None, Query(description="Held by this reader")] = None,
    after: Annotated[str | None, Query(description="Id of the last read of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[ReadView]:
    """Reads, oldest first. A reader sees the reads it holds, and READY ones of trusts it may read for."""
    with services.store.read() as tx:
        visible_to = _visibility(tx, services, caller)
        found = tx.reads.listing(set(state or ()), trust, reader, after, limit, visible_to)
    asked = {"state": state, "trust": trust, "reader": reader, "after": after}
    record_list(services, caller, "reads", [read.id for read in found], **asked)
    return [read_view(read) for read in found]


@router.get("/{read_id}", tags=["reads"], summary="One read", responses=responses(404))
def get_read(read_id: str, services: WithServices, caller: StaffOrReader) -> ReadView:
    """Where a read is now, who owns the next step, and until when."""
    with services.store.read() as tx:
        read = _visible(tx, services, caller, read_id)
        priors, now = priors_view(priors_of(tx, read, services.now())), services.now()
        alerts = open_alerts(tx, read.study_instance_uid, now)
        return read_view(read).model_copy(update={"priors": priors, "open_alerts": alerts})


@router.get("/{read_id}/order", tags=["reads"], summary="What was ordered", responses=responses(404))
def get_order(read_id: str, services: WithServices, caller: StaffOrReader) -> OrderView:
    """What the trust's order asks and who asked; 404 where no order was told for this study."""
    with services.store.read() as tx:
        study = tx.studies.get(_visible(tx, services, caller, read_id).study_instance_uid)
        if study is None or study.order is None:
            raise NotFound("no order was told for this study")
        return order_view(study.order)


@router.get("/{read_id}/why", tags=["reads"], summary="Why it was given to whom", responses=responses(404))
def get_why(read_id: str, services: WithServices, _caller: Staff) -> WhyView:
    """Every assignment of the read with the candidates, the exclusions and their reasons, and the choice."""
    with services.store.read() as tx:
        read = tx.reads.get(read_id)
        if read is None:
            raise NotFound("no such read")
        return why_view(tx, read, services.now())


@router.get("/{read_id}/reports", tags=["reports"], summary="Reports of a read", responses=responses(404))
def get_reports(read_id: str, services: WithServices, caller: StaffOrReader) -> list[ReportView]:
    """Accepted reports of this read, oldest first, each with its delivery to the origin."""
    with services.store.read() as tx:
        read = _visible(tx, services, caller, read_id)
        reports = tx.reports.of_study(read.study_instance_uid)
        shown = [report_view(tx, report) for report in reports if report.read_id == read_id]
    record_list(services, caller, "reports of a read", [one.id for one in shown], read=read_id)
    return shown


@router.post("/{read_id}/claim", tags=["reading"], summary="Start reading", responses=responses(404, 409))
def post_claim(read_id: str, services: WithServices, caller: ReaderCaller) -> ClaimView:
    """Claim a read that is offered to you, or pick a READY one you are eligible for. Exactly one caller wins.

    The answer holds the fencing token. Send heartbeats from now on, or the read is given to somebody else. If the
    answer was lost, claim again: its holder gets the same token.
    """
    timeout_s = services.settings.router.heartbeat_timeout_s
    with services.store.write() as tx:
        claimed = hold_lease.claim(tx, read_id, caller.subject, services.now(), timeout_s)
    if isinstance(claimed, str):
        services.wake_planner()
        raise NotAllowed(claimed)
    assert claimed.lease is not None
    return ClaimView(read=read_view(claimed), transaction_uid=claimed.lease.transaction_uid, epoch=claimed.epoch)


@router.post("/next", tags=["reading"], summary="Start the next read", responses=responses(404, 409))
def post_next(services: WithServices, caller: ReaderCaller) -> ClaimView:
    """Claim what the plan has for you now, of reads that are on nobody's list.

    404: there is none for you; the message says how many are on your own list, to be claimed there. 409 `ask_again`:
    others were first each time, and reads may still wait for you.
    """
    settings = services.settings.router
    lists = ListLengths(settings.list_length)
    timeout_s = settings.heartbeat_timeout_s
    read = claim_next(services.store, caller.subject, services.now(), timeout_s, lists, services.pulls)
    if read is None or read.lease is None:
        raise NotFound(_nothing_next(services, caller.subject))
    return ClaimView(read=read_view(read), transaction_uid=read.lease.transaction_uid, epoch=read.epoch)


def _nothing_next(services: Services, reader_id: str) -> str:
    with services.store.read() as tx:
        listed = len(tx.reads.listing({ReadState.ASSIGNED}, None, reader_id, None, 100, None))
    if not listed:
        return "there is nothing for you to read now"
    return f"of what is on nobody's list, nothing is for you now; claim what is on your own list ({listed})"


@router.post("/{read_id}/heartbeat", tags=["reading"], summary="Still reading", responses=responses(404, 409))
def post_heartbeat(read_id: str, body: ClaimToken, services: WithServices, caller: ReaderCaller) -> ReadView:
    """Keep the lease. 409 means it is no longer yours: stop working on it."""
    timeout_s = services.settings.router.heartbeat_timeout_s
    with services.store.write() as tx:
        return read_view(
            hold_lease.heartbeat(tx, read_id, caller.subject, body.transaction_uid, services.now(), timeout_s)
        )


@router.post("/{read_id}/hold", tags=["reading"], summary="Put it aside", responses=responses(404, 409))
def post_hold(read_id: str, body: HoldBody, services: WithServices, caller: ReaderCaller) -> ReadView:
    """Put the read aside while a question is open."""
    with services.store.write() as tx:
        token, now = body.transaction_uid, services.now()
        return read_view(hold_lease.hold(tx, read_id, caller.subject, token, body.reason, now))


@router.post("/{read_id}/resume", tags=["reading"], summary="Go on reading", responses=responses(404, 409))
def post_resume(read_id: str, body: ClaimToken, services: WithServices, caller: ReaderCaller) -> ReadView:
    """Go on with a read that was put aside."""
    timeout_s = services.settings.router.heartbeat_timeout_s
    with services.store.write() as tx:
        return read_view(
            hold_lease.resume(tx, read_id, caller.subject, body.transaction_uid, services.now(), timeout_s)
        )


@router.post("/{read_id}/decline", tags=["reading"], summary="Hand it back", responses=responses(404, 409))
def post_decline(read_id: str, body: DeclineBody, services: WithServices, caller: ReaderCaller) -> ReadView:
    """Hand the read back with a reason; it is offered to others, and not to you again."""
    with services.store.write() as tx:
        read = hold_lease.decline(tx, read_id, caller.subject, body.transaction_uid, body.reason, services.now())
    services.wake_planner()
    return read_view(read)


@router.post("/{read_id}/take-back", tags=["coordination"], summary="Take it back", responses=responses(404, 409))
def post_take_back(read_id: str, body: ReasonBody, services: WithServices, caller: Staff) -> ReadView:
    """Take the read from its holder, whose token becomes stale, and offer it again."""
    return _coordinate(services, lambda tx: hold_lease.take_back(tx, read_id, caller.name, body.reason, services.now()))


@router.post("/{read_id}/cancel", tags=["coordination"], summary="Cancel a read", responses=responses(404, 409))
def post_cancel(read_id: str, body: ReasonBody, services: WithServices, caller: Staff) -> ReadView:
    """The read is not wanted any more."""
    return _end(services, read_id, Event.CANCEL, caller, body.reason)


@router.post("/{read_id}/fail", tags=["coordination"], summary="Give a read up", responses=responses(404, 409))
def post_fail(read_id: str, body: ReasonBody, services: WithServices, caller: Staff) -> ReadView:
    """The read cannot be done in this network; a person deals with it elsewhere."""
    return _end(services, read_id, Event.FAIL, caller, body.reason)


@router.post("/{read_id}/route", tags=["coordination"], summary="Say what exam it is", responses=responses(404, 409))
def post_route(read_id: str, body: RouteBody, services: WithServices, caller: Staff) -> ReadView:
    """Route a read that the exam table could not, or put right one that nobody has yet."""
    routing = services.settings.routing
    return _coordinate(
        services,
        lambda tx: hold_lease.route_by_hand(
            tx,
            read_id,
            caller.name,
            body.subspecialty,
            body.expected_minutes,
            body.priority,
            routing,
            services.now(),
            body.exam_group,
            Level[body.minimum_level.upper()],
        ),
    )


@router.post("/{read_id}/release", tags=["coordination"], summary="End a rule's hold", responses=responses(404, 409))
def post_release(read_id: str, body: ReasonBody, services: WithServices, caller: Staff) -> ReadView:
    """Let a read go on that a routing rule holds back; what else the rules said of it stays."""
    return _coordinate(services, lambda tx: hold_lease.release(tx, read_id, caller.name, body.reason, services.now()))


def _coordinate(services: Services, change: Callable[[SqlTransaction], Read]) -> ReadView:
    with services.store.write() as tx:
        read = change(tx)
    services.wake_planner()
    return read_view(read)


def _end(services: Services, read_id: str, event: Event, caller: Caller, reason: str) -> ReadView:
    return _coordinate(
        services, lambda tx: hold_lease.end_read(tx, read_id, event, caller.name, reason, services.now())
    )


def _visibility(tx: SqlTransaction, services: Services, caller: Caller) -> Visibility | None:
    """What the caller may see; None is everything."""
    if caller.role != "reader":
        return None
    reader, now = tx.readers.get(caller.subject), services.now()
    trusts = {credential.trust for credential in reader.credentials} if reader is not None else set()
    return Visibility(
        caller.subject,
        frozenset(trust for trust in trusts if reader is not None and reader.is_credentialed(trust, now)),
    )


def _visible(tx: SqlTransaction, services: Services, caller: Caller, read_id: str) -> Read:
    read = tx.reads.get(read_id)
    visible_to = _visibility(tx, services, caller)
    if read is None or (visible_to is not None and not visible_to.covers(read)):
        raise NotFound("no such read")
    return read
