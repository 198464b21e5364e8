"""A destination that is down delays only itself: three trusts, one of which is dead."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_nodes.contract import ReturnReport
from tests.hazards.test_h02_accession_collision import (
    READING,
    Network,
    everybodys_studies,
    right_report,
    running_network,
)

DEAD, ALIVE = "RXN", ("RXL", "RTX")


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    with running_network(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite") as running:
        yield running


def return_all(network: Network, trust: str) -> int:
    """The trust's node fetches its orders and returns every report; how many."""
    orders = [order for order in network.nodes[trust].new_orders() if isinstance(order.body, ReturnReport)]
    for order in orders:
        network.nodes[trust].return_report(order)
    return len(orders)


def test_a_dead_trust_delays_its_own_reports_and_no_others(network: Network) -> None:
    region = network.region
    studies = [study for study in everybodys_studies() if study.study.origin in {DEAD, *ALIVE}]
    for study in studies:
        network.nodes[study.study.origin].say(study)
    region.plan()
    network.bring_images()
    network.nodes[READING].say(*(right_report(number, study) for number, study in enumerate(studies)))

    assert [return_all(network, trust) for trust in ALIVE] == [2, 2]
    states = {trust: {read["state"] for read in region.get("/reads", trust=trust)} for trust in (DEAD, *ALIVE)}
    assert states == {DEAD: {"VERIFIED"}, **{trust: {"CLOSED"} for trust in ALIVE}}

    region.clock.pass_s(7201)
    region.plan()
    assert [item["node"] for item in region.queue("phone_list")] == [DEAD, DEAD]
    late = region.get("/deliveries", state=["QUEUED", "SENT"])
    assert {(one["trust"], one["channel"], one["age_s"]) for one in late} == {
        (DEAD, "archive", 7201.0),
        (DEAD, "ris", 7201.0),
    }
    assert return_all(network, DEAD) == 2
    assert {read["state"] for read in region.get("/reads", trust=DEAD)} == {"CLOSED"}
    assert region.get("/deliveries", state=["QUEUED", "SENT", "PARKED", "REJECTED", "HELD"]) == []
