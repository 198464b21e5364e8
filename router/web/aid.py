"""Mutual aid: the trusts' limits, what is used of them today, and the account of signed reads."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from router.code_map import ExamGroup
from router.model.aid import AidLimits
from router.model.errors import Invalid, NotFound
from router.model.record import Entry
from router.rules.local_time import day_start
from router.store.transaction import SqlTransaction
from router.web.errors import responses
from router.web.known_names import refuse_unknown_groups
from router.web.messages import Request
from router.web.security import Admin, Staff
from router.web.services import WithServices

router = APIRouter()

Trust = Annotated[str, Path(pattern=r"^[A-Z0-9]{3,6}$", description="The trust's ODS code")]
Minutes = Annotated[float, Field(ge=0, le=1_000_000)]


class AidLimitsBody(Request):
    """What a trust gives (out) and takes (in) in a day of local time. A limit that is left out is none."""

    reads_for: list[str] = Field(description="ODS codes of the trusts its readers read for", max_length=1000)
    minutes_out_per_day: Minutes | None = None
    minutes_in_per_day: Minutes | None = None
    group_minutes_out: dict[ExamGroup, Minutes] = Field(default={})
    group_minutes_in: dict[ExamGroup, Minutes] = Field(default={})
    acute_reserve: float = Field(default=0.2, ge=0, lt=1, description="Share of every limit kept for acute reads")


class AidLimitsView(AidLimitsBody):
    trust: str
    minutes_out_today: float = Field(description="Expected minutes given out today and not handed back")
    minutes_in_today: float


class AidEntryView(BaseModel):
    """One signed read: a credit of the reader's employer, a debit of the origin."""

    read_id: str
    at: datetime
    employer: str
    origin: str
    reader_id: str
    exam_group: str | None
    minutes: float
    reads: int
    acute: bool


class AidBalanceView(BaseModel):
    """The trust's account with one other: credit is what it read for the other, debit what the other read for it."""

    other: str
    credit_minutes: float
    credit_reads: int
    debit_minutes: float
    debit_reads: int
    balance_minutes: float


class AidAccountView(BaseModel):
    trust: str
    since: datetime
    until: datetime
    balances: list[AidBalanceView]
    entries: list[AidEntryView] = Field(description="Oldest first, as many as `limit`")


@router.get("/aid-limits", tags=["aid"], summary="Limits of all trusts", responses=responses())
def get_all_limits(services: WithServices, _caller: Staff) -> list[AidLimitsView]:
    """Trusts that recorded limits; for the others credentials alone decide."""
    with services.store.read() as tx:
        return [_view(tx, limits, services.now()) for limits in tx.aid.limits()]


@router.get("/trusts/{trust}/aid-limits", tags=["aid"], summary="A trust's limits", responses=responses(404))
def get_limits(trust: Trust, services: WithServices, _caller: Staff) -> AidLimitsView:
    """What the trust agreed to, and what is used of it today."""
    with services.store.read() as tx:
        for limits in tx.aid.limits():
            if limits.trust == trust:
                return _view(tx, limits, services.now())
    raise NotFound("this trust has recorded no limits")


@router.put("/trusts/{trust}/aid-limits", tags=["aid"], summary="Agree on limits", responses=responses())
def put_limits(trust: Trust, body: AidLimitsBody, services: WithServices, caller: Admin) -> AidLimitsView:
    """Replace the trust's limits. Reads that are given out stay with their readers.

    An exam group that no exam has is refused (422): its limit would limit nothing.
    """
    limits = AidLimits(
        trust=trust,
        reads_for=frozenset(body.reads_for),
        minutes_out_per_day=body.minutes_out_per_day,
        minutes_in_per_day=body.minutes_in_per_day,
        group_minutes_out=body.group_minutes_out,
        group_minutes_in=body.group_minutes_in,
        acute_reserve=body.acute_reserve,
    )
    now = services.now()
    with services.store.write() as tx:
        known = {trust.ods_code for trust in tx.network.trusts()}
        unknown = sorted({trust, *body.reads_for} - known)
        if unknown:
            raise Invalid(f"reads_for: expected known trusts, got {', '.join(unknown)[:200]}")
        if trust in body.reads_for:
            raise Invalid("reads_for: a trust needs no agreement with itself")
        groups = {"group_minutes_out": body.group_minutes_out, "group_minutes_in": body.group_minutes_in}
        refuse_unknown_groups(tx, services, **groups)
        tx.aid.put_limits(limits)
        tx.ledger.append(Entry("aid.limits_changed", now, caller.name, detail={"trust": trust, **body.model_dump()}))
        view = _view(tx, limits, now)
    services.wake_planner()
    return view


@router.get("/trusts/{trust}/aid-account", tags=["aid"], summary="Credits and debits", responses=responses(404))
def get_account(
    trust: Trust,
    services: WithServices,
    _caller: Staff,
    since: Annotated[AwareDatetime | None, Query(description="The last 30 days unless given")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Now unless given")] = None,
    limit: Annotated[int, Query(ge=0, le=1000, description="How many entries to show")] = 100,
) -> AidAccountView:
    """What the trust read for others and others for it, in expected minutes and reads."""
    end = until or services.now() + timedelta(seconds=1)
    begin = since or services.now() - timedelta(days=30)
    with services.store.read() as tx:
        _known(tx, trust)
        balances = tx.aid.balances(trust, begin, end)
        entries = tx.aid.entries(trust, begin, end, limit)
    return AidAccountView(
        trust=trust,
        since=begin,
        until=end,
        balances=[
            AidBalanceView(
                other=b.other,
                credit_minutes=b.credit_minutes,
                credit_reads=b.credit_reads,
                debit_minutes=b.debit_minutes,
                debit_reads=b.debit_reads,
                balance_minutes=b.minutes,
            )
            for b in balances
        ],
        entries=[
            AidEntryView(**{name: getattr(entry, name) for name in AidEntryView.model_fields}) for entry in entries
        ],
    )


def _known(tx: SqlTransaction, trust: str) -> None:
    if trust not in {known.ods_code for known in tx.network.trusts()}:
        raise NotFound("no such trust")


def _view(tx: SqlTransaction, limits: AidLimits, now: datetime) -> AidLimitsView:
    book = tx.aid.book(day_start(now))
    return AidLimitsView(
        trust=limits.trust,
        reads_for=sorted(limits.reads_for),
        minutes_out_per_day=limits.minutes_out_per_day,
        minutes_in_per_day=limits.minutes_in_per_day,
        group_minutes_out=dict(limits.group_minutes_out),
        group_minutes_in=dict(limits.group_minutes_in),
        acute_reserve=limits.acute_reserve,
        minutes_out_today=book.minutes_out(limits.trust),
        minutes_in_today=book.minutes_in(limits.trust),
    )
