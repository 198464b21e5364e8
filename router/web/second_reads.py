"""Second reads as a coordinator sees and settles them."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from router.flows.ports import Transaction
from router.flows.settle_second_read import settle_second_read
from router.model.errors import NotFound
from router.model.read import Read
from router.web.access_record import record_access
from router.web.errors import responses
from router.web.messages import ReadView, ReasonBody, ReportView
from router.web.security import Staff
from router.web.services import WithServices
from router.web.views import read_view, report_view

router = APIRouter(prefix="/reads")


class SideView(BaseModel):
    """One of the two reads with its accepted reports."""

    read: ReadView
    reports: list[ReportView]


class SecondReadView(BaseModel):
    """Both sides, to be compared; `agreement` is what the second reader said, null until then."""

    first: SideView
    second: SideView
    agreement: str | None = Field(description="concordant, discordant, unstated, or null")
    settled: str | None = Field(description="first_stands or return_second, where a person decided")


class SettleBody(ReasonBody):
    decision: Literal["first_stands", "return_second"] = Field(
        description="return_second: the second report goes to the origin as the next version"
    )


@router.get("/{read_id}/second-read", tags=["reads"], summary="Both sides of a second read", responses=responses(404))
def get_second_read(read_id: str, services: WithServices, caller: Staff) -> SecondReadView:
    """The first and the second read, by the id of either, with what each reader wrote and what became of it.

    Who looked is recorded.
    """
    with services.store.write() as tx:
        first, second = _pair(tx, read_id)
        record_access(tx, services, caller, "both sides of a second read", [first.study_instance_uid])
        said = {e.event: e.detail for e in tx.ledger.of_study(second.study_instance_uid) if e.read_id == second.id}
        agreements = [a for a in ("concordant", "discordant", "unstated") if f"second_read.{a}" in said]
        return SecondReadView(
            first=_side(tx, first),
            second=_side(tx, second),
            agreement=agreements[0] if agreements else None,
            settled=said.get("second_read.settled", {}).get("decision"),
        )


@router.post("/{read_id}/settle", tags=["coordination"], summary="Settle a second read", responses=responses(404, 409))
def post_settle(read_id: str, body: SettleBody, services: WithServices, caller: Staff) -> ReadView:
    """Decide where the second reader disagrees, or did not say: the first report stands, or the second is returned."""
    with services.store.write() as tx:
        return read_view(settle_second_read(tx, read_id, body.decision, caller.name, body.reason, services.now()))


def _pair(tx: Transaction, read_id: str) -> tuple[Read, Read]:
    read = tx.reads.get(read_id)
    if read is None:
        raise NotFound("no such read")
    if read.second_of is not None:
        first = tx.reads.get(read.second_of)
        assert first is not None
        return first, read
    seconds = [second for second in tx.reads.second_reads(read.study_instance_uid) if second.second_of == read.id]
    if not seconds:
        raise NotFound("the read has no second read")
    return read, seconds[-1]


def _side(tx: Transaction, read: Read) -> SideView:
    reports = [report for report in tx.reports.of_study(read.study_instance_uid) if report.read_id == read.id]
    return SideView(read=read_view(read), reports=[report_view(tx, report) for report in reports])
