"""What every endpoint works with, made by the composition root and handed over as a dependency."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from dicom_nodes.foundation.clock import Clock
from router.config import RouterSettings
from router.flows.next_read import PullMemory
from router.store.transaction import SqlStore
from router.web.order_bell import OrderBell
from router.web.shown_lists import ShownLists


@dataclass(frozen=True, slots=True)
class Services:
    """`wake_planner` asks for a plan soon; it returns at once."""

    settings: RouterSettings
    store: SqlStore
    clock: Clock
    bell: OrderBell
    wake_planner: Callable[[], None]
    started_at: datetime
    pulls: PullMemory = field(default_factory=PullMemory)
    shown: ShownLists = field(default_factory=ShownLists)
    heard: dict[str, datetime] = field(default_factory=dict)
    """When a node's poll was last written down, by ODS code."""

    def now(self) -> datetime:
        return self.clock()


async def services_of(request: Request) -> Services:
    """The services of the running application: without a thread, which every request would have to wait for."""
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


WithServices = Annotated[Services, Depends(services_of)]
