"""Deliveries of reports: where every version is on its way home, and what a person does about it."""

from typing import Annotated

from fastapi import APIRouter, Query

from router.flows.settle_deliveries import cancel_delivery, resend_delivery
from router.model.delivery import DeliveryState
from router.model.errors import NotFound
from router.web.access_record import record_list
from router.web.errors import responses
from router.web.messages import ListedDeliveryView, ReasonBody
from router.web.security import Staff
from router.web.services import WithServices
from router.web.views import listed_delivery_view

router = APIRouter(tags=["reports"])


@router.get("/deliveries", summary="Every report's way home", responses=responses())
def get_deliveries(
    services: WithServices,
    caller: Staff,
    state: Annotated[list[DeliveryState] | None, Query(description="Only in these states")] = None,
    trust: Annotated[str | None, Query(description="ODS code of the origin", examples=["RXN"])] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[ListedDeliveryView]:
    """One line for each channel of each version, the oldest first. QUEUED, SENT, PARKED, REJECTED and HELD are owed."""
    now = services.now()
    with services.store.read() as tx:
        found = tx.deliveries.listing(state or (), trust, limit)
    shown = [f"{one.delivery.report_id}/{one.delivery.channel}" for one in found]
    record_list(services, caller, "deliveries", shown, state=state, trust=trust)
    return [listed_delivery_view(one, now) for one in found]


@router.get("/reports/{report_id}/deliveries", summary="One report's way home", responses=responses(404))
def get_deliveries_of_report(report_id: str, services: WithServices, _caller: Staff) -> list[ListedDeliveryView]:
    """Every channel of this version; none where the report was kept, dropped, or waits for a person."""
    now = services.now()
    with services.store.read() as tx:
        report = tx.reports.get(report_id)
        if report is None:
            raise NotFound("no such report")
        listed = tx.deliveries.of_study(report.study_instance_uid or "")
        return [listed_delivery_view(one, now) for one in listed if one.delivery.report_id == report_id]


@router.post("/reports/{report_id}/deliveries/{channel}/resend", summary="Send it again", responses=responses(404, 409))
def post_resend_delivery(
    report_id: str, channel: str, body: ReasonBody, services: WithServices, caller: Staff
) -> ListedDeliveryView:
    """Have one channel of a version sent again. Refused (409) where the origin has it, has a later version, or its
    node is still trying."""
    now = services.now()
    with services.store.write() as tx:
        return listed_delivery_view(resend_delivery(tx, report_id, channel, caller.name, body.reason, now), now)


@router.post("/reports/{report_id}/deliveries/{channel}/cancel", summary="Call it off", responses=responses(404, 409))
def post_cancel_delivery(
    report_id: str, channel: str, body: ReasonBody, services: WithServices, caller: Staff
) -> ListedDeliveryView:
    """Do not send this channel of a version any more; what was on its way still counts when the origin answers.

    The read does not close by that: only the origin's answer closes it.
    """
    now = services.now()
    with services.store.write() as tx:
        return listed_delivery_view(cancel_delivery(tx, report_id, channel, caller.name, body.reason, now), now)
