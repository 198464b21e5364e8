"""What facts ask for is known before they are taken."""

from datetime import UTC, datetime

import pytest

from dicom_nodes.contract import Fact, FactBody, JobParked, OrderCompleted, ReportAcknowledged
from router.flows.facts_ahead import concerns_planning

ANSWER = ReportAcknowledged(order_id="1", channel="ris", code="AA", reference="r")
RETURNED = OrderCompleted(order_id="1", channels=("ris",))
DELIVERED = OrderCompleted(order_id="1", instance_count=1, manifest_digest="0")
PARKED = JobParked(job_kind="archive", job_key="1", reason="away", attempts=9)


def fact(body: FactBody) -> Fact:
    return Fact(seq=1, occurred_at=datetime(2026, 11, 2, tzinfo=UTC), body=body)


@pytest.mark.parametrize(
    ("facts", "concerns"),
    [
        ((), False),
        ((fact(ANSWER), fact(RETURNED)), False),
        ((fact(ANSWER), fact(DELIVERED)), True),
        ((fact(PARKED),), True),
        (({"seq": 1, "body": {"kind": "unheard of"}},), True),
    ],
)
def test_a_plan_is_asked_for_by_all_but_answers_to_returns(
    facts: tuple[Fact | dict[str, object], ...], concerns: bool
) -> None:
    assert concerns_planning(facts) is concerns
