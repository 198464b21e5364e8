"""Facts that could not be carried out: a person reads what came, and has it carried out once the cause is gone."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from router.flows.take_facts import carry_out_again
from router.model.errors import NotFound
from router.web.access_record import record_access
from router.web.errors import responses
from router.web.messages import FailedFactBodyView, FailedFactView, NoteBody
from router.web.security import Staff
from router.web.services import WithServices
from router.web.views import failed_fact_view

router = APIRouter(prefix="/failed-facts", tags=["human queue"])

Seq = Annotated[int, Path(ge=1, lt=2**63)]


@router.get("", summary="Facts that failed", responses=responses())
def get_failed_facts(
    services: WithServices, _caller: Staff, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[FailedFactView]:
    """Newest first, also those that were carried out since: the log of facts only grows."""
    with services.store.read() as tx:
        return [failed_fact_view(fact) for fact in tx.facts.failed(limit)]


@router.get("/{node}/{outbox_id}/{seq}", summary="One failed fact", responses=responses(404))
def get_failed_fact(node: str, outbox_id: str, seq: Seq, services: WithServices, caller: Staff) -> FailedFactBodyView:
    """All that the node said, such as the text of a report that nobody has seen yet.

    Who looked is recorded.
    """
    with services.store.write() as tx:
        fact = tx.facts.get(node, outbox_id, seq)
        if fact is None or fact.failure is None:
            raise NotFound("no such failed fact")
        record_access(tx, services, caller, f"failed fact {fact.key}", node=node)
    return FailedFactBodyView(**failed_fact_view(fact).model_dump(), body=fact.body)


@router.post("/{node}/{outbox_id}/{seq}/apply", summary="Carry it out", responses=responses(404, 409))
def post_apply(
    node: str, outbox_id: str, seq: Seq, body: NoteBody, services: WithServices, caller: Staff
) -> FailedFactView:
    """Carry the fact out after all and close its item; 409 if it cannot be understood or fails again."""
    with services.store.write() as tx:
        fact = carry_out_again(tx, node, outbox_id, seq, caller.name, body.note, services.settings, services.now())
    services.wake_planner()
    return failed_fact_view(fact)
