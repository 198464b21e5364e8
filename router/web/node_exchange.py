"""Facts up, orders down: the two calls of a node. The token says which trust's node it is."""

import asyncio
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from dicom_nodes.contract import FactReceipt, OrderBatch
from dicom_nodes.foundation.event_log import event_log
from router.flows.fact_batch import ReceivedBatch
from router.flows.facts_ahead import concerns_planning
from router.flows.order_log import OrdersToSend, orders_for
from router.flows.take_facts import take_facts
from router.flows.tell_ris import with_links
from router.web.errors import responses
from router.web.security import NodeCaller
from router.web.services import Services, WithServices

router = APIRouter(prefix="/node/v1", tags=["node exchange"])

ORDERS_A_BATCH = 50
GATHER_S = 0.05
"""Orders come in bursts: a poll that was waiting takes along what is committed right behind the first."""
_NOTED_EVERY = timedelta(seconds=1)
LOOK_AGAIN_S = 1.0
"""Another replica may have written the order, so a waiting poll also looks by itself."""


@router.post("/facts", summary="Hand over facts", responses=responses(409, 503))
def post_facts(batch: ReceivedBatch, services: WithServices, caller: NodeCaller) -> FactReceipt:
    """Take a batch of facts of the node that the token belongs to.

    Facts are numbered from 1 without gaps for each `outbox_id`. Known ones are passed over, so a batch may be sent
    again. A gap answers 409 `fact_gap`; a number that came before with other content answers 409 `outbox_forked`:
    after either the node takes a new `outbox_id` and sends what waits from 1. A fact that cannot be understood is
    kept for a person and blocks nothing. On 200 everything up to `accepted_through` is durable here.
    """

    def failed(error: Exception) -> None:
        event_log().error("fact.failed", node=caller.subject, exc_info=error)

    receipt = take_facts(services.store, caller.subject, batch, services.settings, services.now(), failed)
    if concerns_planning(batch.facts):
        services.wake_planner()
    return receipt


@router.get("/orders", summary="Wait for orders", response_model=OrderBatch, responses=responses(503))
async def get_orders(
    services: WithServices,
    caller: NodeCaller,
    log_id: Annotated[str | None, Query(description="The log the node knows; another one starts again at 0")] = None,
    after: Annotated[int, Query(ge=0, lt=2**63, description="Seq of the last order the node has")] = 0,
    wait: Annotated[float, Query(ge=0, le=300, description="Seconds to wait for an order")] = 0,
) -> Response:
    """The node's orders after `after`, at once if there are any, otherwise as soon as there are or `wait` is over.

    The log is ordered and immutable: asking again gives the same orders, less those that were carried out or
    overtaken meanwhile, so seqs may have gaps. Where the answer's `log_id` is another than the node's, the orders
    start at the log's beginning; the node recognises those it has by `order_id`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + min(wait, services.settings.router.longest_wait_s)
    is_first = True
    while True:
        heard = services.bell.listen(caller.subject)
        try:
            batch = await run_in_threadpool(_orders, services, caller.subject, log_id, after, is_first)
            is_first = False
            left = deadline - loop.time()
            if batch.orders or left <= 0 or services.bell.closed:
                return Response(batch.as_json(), media_type="application/json")
            async with asyncio.timeout(min(left, LOOK_AGAIN_S)):
                await heard.wait()
            if not services.bell.closed:
                await asyncio.sleep(GATHER_S)
        except TimeoutError:
            continue
        finally:
            services.bell.leave(caller.subject, heard)


def _orders(services: Services, node: str, log_id: str | None, after: int, is_first: bool) -> OrdersToSend:
    now = services.now()
    is_heard = is_first and _is_to_be_noted(services.heard.get(node), now)
    batch = orders_for(services.store, node, log_id, after, ORDERS_A_BATCH, now, is_heard=is_heard)
    if is_heard:
        services.heard[node] = now
    return with_links(services.store, node, batch, services.settings.alerts, now)


def _is_to_be_noted(noted: datetime | None, now: datetime) -> bool:
    """Silence is counted in many seconds; a busy node polls many times in one, and each note is a commit."""
    return noted is None or not noted <= now < noted + _NOTED_EVERY
