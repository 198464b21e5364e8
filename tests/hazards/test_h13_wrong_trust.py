"""Hazard 13: a report goes to the wrong trust; its destination comes only from the immutable origin.

What the reader, another node, or a swapped configuration says changes no destination: it is refused at the start, by
the API, or by the database, and only the origin's own node can acknowledge.
"""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dicom_nodes.contract import OrderCompleted, PatientChanged, ReportAcknowledged, ReturnReport
from dicom_nodes.foundation.settings_file import SettingsError
from router.config import load_router_settings
from tests.integration.router.region import PATIENT, NodeSide, Region, received, settled, write_region


def returned(node: NodeSide) -> list[str]:
    """Origins of the studies whose reports this node was ever ordered to return."""
    bodies = (order.body for order in node.orders(after=0).orders)
    return [body.study.origin for body in bodies if isinstance(body, ReturnReport)]


def test_a_report_goes_to_the_trust_that_made_the_images_whoever_read_them(region: Region) -> None:
    region.offer()
    region.rxl.say(received(accession_number="A-1.2.3.4", accession_issuer="RXN"))
    assert (returned(region.rxn), returned(region.rxl)) == (["RXN"], [])


@pytest.mark.parametrize("revision", [1, 2])
def test_another_node_that_claims_the_study_moves_no_report(region: Region, revision: int) -> None:
    region.offer()
    claim = settled(origin="RXL", revision=revision, accession_issuer="RXL", contents="xy")
    region.rxl.say(claim)
    region.rxl.say(settled(origin="RXN", revision=revision + 1, contents="xyz"))
    assert {item["kind"] for item in region.queue()} == {"study_conflict", "origin_mismatch"}
    region.rxl.say(received())
    assert (returned(region.rxn), returned(region.rxl)) == (["RXN"], [])


def test_every_version_and_every_repeat_has_the_same_destination(sqlite_region: Region) -> None:
    region = sqlite_region
    region.offer()
    report = received()
    region.rxl.say(report)
    region.clock.pass_s(60)
    region.rxl.say(received(status="C", text="The left side"))
    region.clock.pass_s(60)
    region.rxl.say(received(addendum=True, text="And the right"))
    region.rxn.say(
        PatientChanged(present=PATIENT.model_copy(update={"patient_id": "H9"}), prior=PATIENT, reference="1")
    )
    path = f"/reports/{report.report_id}/deliveries/ris"
    assert region.client.post(f"{path}/cancel", json={"reason": "no"}, headers=region.staff).status_code == 200
    assert region.client.post(f"{path}/resend", json={"reason": "yes"}, headers=region.staff).status_code == 200
    assert set(returned(region.rxn)) == {"RXN"}
    assert len(returned(region.rxn)) >= 3
    assert returned(region.rxl) == []


def test_only_the_origin_can_acknowledge(region: Region) -> None:
    region.offer()
    region.rxl.say(received())
    (order,) = region.rxn.new_orders()
    region.rxl.say(ReportAcknowledged(order_id=order.order_id, channel="ris", code="AA", reference="1"))
    region.rxl.say(OrderCompleted(order_id=order.order_id))
    assert region.read()["state"] == "VERIFIED"
    assert {item["node"] for item in region.queue("unknown_order")} == {"RXL"}


@pytest.mark.parametrize("table", ["study", "read"])
def test_the_database_itself_keeps_the_origin(region: Region, table: str) -> None:
    region.offer()
    services = region.client.app.state.services  # type: ignore[attr-defined]
    with pytest.raises(DBAPIError, match="origin"), services.store.write() as tx:
        tx.connection.execute(text(f"UPDATE {table} SET origin = 'RXL'"))
    region.rxl.say(received())
    assert returned(region.rxl) == []


def swapped_titles(network: str) -> str:
    return network.replace("RXN_NODE", "OTHER").replace("RXL_NODE", "RXN_NODE").replace("OTHER", "RXN_NODE")


def twice(network: str) -> str:
    return network.replace('ods_code = "RXL", ae_title', 'ods_code = "RXN", ae_title')


def of_no_trust(network: str) -> str:
    return network.replace('{ ods_code = "RXL", name', '{ ods_code = "RXZ", name')


@pytest.mark.parametrize("swap", [swapped_titles, twice, of_no_trust])
def test_a_swapped_configuration_stops_the_start(tmp_path: Path, swap: Any) -> None:
    write_region(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite")
    file = tmp_path / "region" / "network.toml"
    file.write_text(swap(file.read_text()))
    with pytest.raises(SettingsError):
        load_router_settings(tmp_path / "region" / "router.toml")


def test_a_node_cannot_be_given_anothers_title_by_the_api(sqlite_region: Region) -> None:
    body = {"ods_code": "RXL", "ae_title": "RXN_NODE", "host": "127.0.0.1", "port": 1}
    answer = sqlite_region.client.put("/nodes/RXL", json=body, headers=sqlite_region.staff)
    assert (answer.status_code, "another node's" in answer.text) == (422, True)
