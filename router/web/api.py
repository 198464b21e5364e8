"""Puts the endpoints together into one documented application."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from fastapi.routing import APIRoute

from router.web import (
    aid,
    alert_page,
    alerts,
    deliveries,
    exams,
    failed_facts,
    filing,
    held_reports,
    inspection,
    metrics,
    network,
    node_exchange,
    patient_conflicts,
    readers,
    reads,
    rota,
    rule_sets,
    second_reads,
)
from router.web.documentation import add_documentation
from router.web.errors import FailureBoundary, install_error_handlers
from router.web.fhir import routes as fhir
from router.web.security import roles_of
from router.web.services import Services

_DESCRIPTION = """
Readacross routes studies of an imaging network to readers and their reports back to the trust that made the images.

**Calling.** Send `Authorization: Bearer TOKEN`. An administrator makes tokens with `POST /tokens`; the first one comes
from the command line. Roles: `admin`, `coordinator`, `reader` (bound to one reader), `node` (bound to one trust).

**A reader's day.** `GET /reads?state=ASSIGNED` → `POST /reads/{id}/claim` gives a fencing token → `…/heartbeat` while
reading → `…/report`. A 409 `stale_lease` means the read is somebody else's by now.

**Refusals** all look like `{"error": "stale_lease", "message": "…"}`. Times are ISO 8601 with an offset.
"""

_TAGS = [
    {"name": "reads", "description": "What there is to report, where it is and why"},
    {"name": "reading", "description": "What a reader does with a read"},
    {"name": "coordination", "description": "What a coordinator does with a read"},
    {"name": "reports", "description": "Reports and their way home"},
    {"name": "fhir", "description": "Reports in FHIR R4"},
    {"name": "alerts", "description": "Critical findings, until a named person answers"},
    {"name": "human queue", "description": "What machines cannot settle"},
    {"name": "ledger", "description": "Append-only: everything that happened to a study"},
    {"name": "readers", "description": "Readers and their credentials"},
    {"name": "sessions", "description": "Booked reading time"},
    {"name": "rota", "description": "Leave, recurring patterns and rotas from files"},
    {"name": "aid", "description": "What trusts agreed to read for each other, and the account of it"},
    {"name": "exams", "description": "Code maps, pathways and learned reading times"},
    {"name": "network", "description": "Trusts and their nodes"},
    {"name": "rule sets", "description": "Routing rules: drafts, trials, activation, roll-back"},
    {"name": "tokens", "description": "Who may call"},
    {"name": "node exchange", "description": "Facts up, orders down"},
    {"name": "health", "description": "For monitoring"},
]


def build_api(services: Services, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]) -> FastAPI:
    """The application over these services."""
    app = FastAPI(
        title="Readacross router",
        version="1",
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    install_error_handlers(app)
    parts = (  # nodes first: they ask most, and each part before theirs would be looked through
        node_exchange, reads, filing, second_reads, alerts, alert_page, metrics, inspection, held_reports, deliveries,
        fhir, failed_facts, patient_conflicts, readers, rota, aid, exams, network, rule_sets,
    )  # fmt: skip
    for part in parts:
        for route in part.router.routes:
            if isinstance(route, APIRoute) and (roles := roles_of(route)):
                route.openapi_extra = {**(route.openapi_extra or {}), "x-roles": list(roles)}
        app.include_router(part.router)
    add_documentation(app)
    app.add_middleware(FailureBoundary)
    return app
