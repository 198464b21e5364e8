"""What becomes of an alert code where reports are seconds, repeats, unreadable, or of a patient merged meanwhile."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_nodes.contract import AlertCode, PatientChanged, TellRis
from tests.integration.router.alert_region import CRITICAL, AlertRegion, running_alert_region
from tests.integration.router.region import PATIENT, received
from tests.integration.router.test_second_reads import file, second_claimed, sign_first

ORDINARY = AlertCode(value="18748-4", scheme="LN")


@pytest.fixture
def region(tmp_path: Path) -> Iterator[AlertRegion]:
    with running_alert_region(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite") as running:
        yield running


def alerts(region: AlertRegion) -> list[tuple[str, str | None]]:
    return [(alert["trust"], alert["held_because"]) for alert in region.get("/alerts")]


def test_a_second_readers_alert_goes_to_the_origin_once(region: AlertRegion) -> None:
    sign_first(region)
    second, token = second_claimed(region)
    codes = [CRITICAL.model_dump()]
    file(region, second, token, 2, agreement="discordant", text="A mass.", alert_codes=codes)
    assert alerts(region) == [("RXN", None)]
    body = {"decision": "return_second", "reason": "a mass indeed"}
    answer = region.client.post(f"/reads/{second['id']}/settle", json=body, headers=region.staff)
    assert answer.status_code == 200
    assert alerts(region) == [("RXN", None)]


def test_a_repeat_and_a_late_preliminary_raise_no_second_alert(region: AlertRegion) -> None:
    region.claim(region.offer())
    region.clock.pass_s(60)
    region.rxl.say(received(alert_codes=(CRITICAL,)))
    region.rxl.say(received(alert_codes=(CRITICAL,)), received(status="P", alert_codes=(CRITICAL,)))
    assert sorted(report["disposition"] for report in region.get("/reports")) == ["ACCEPTED", "DROPPED", "DROPPED"]
    assert alerts(region) == [("RXN", None)]


def test_a_code_that_only_the_repeat_has_is_raised(region: AlertRegion) -> None:
    region.claim(region.offer())
    region.clock.pass_s(60)
    region.rxl.say(received())
    region.rxl.say(received(alert_codes=(CRITICAL,)))
    ((trust, held),) = alerts(region)
    assert (trust, "word for word" in (held or "")) == ("RXL", True)


@pytest.mark.parametrize(("code", "asked"), [(CRITICAL, 1), (ORDINARY, 0)])
def test_a_report_that_cannot_be_understood_is_telephoned_about_where_it_names_an_alert(
    region: AlertRegion, code: AlertCode, asked: int
) -> None:
    region.rxl.say(received(accession_number="9" * 300, alert_codes=(code,)))
    assert len(region.queue("fact_failed")) == 1
    assert len(region.queue("phone_list")) == asked


def test_a_report_of_another_contract_is_telephoned_about_where_it_names_an_alert(region: AlertRegion) -> None:
    body = received(alert_codes=(CRITICAL,)).model_dump(mode="json") | {"status": "Z"}
    batch = {"outbox_id": "o", "facts": [{"seq": 1, "occurred_at": region.clock().isoformat(), "body": body}]}
    health = {"state": "ok", "reasons": [], "free_bytes": 1, "parked_jobs": 0, "quarantined": 0, "outbox_depth": 0}
    sent = batch | {"version": 1, "health": health | {"outbox_oldest_s": 0.0}}
    assert region.client.post("/node/v1/facts", json=sent, headers=region.rxl.headers).status_code == 200
    assert len(region.queue("phone_list")) == 1


def test_after_a_merge_the_ris_is_told_of_the_surviving_number(tmp_path: Path) -> None:
    with running_alert_region(tmp_path / "region", f"sqlite:///{tmp_path}/r.sqlite", ris=True) as region:
        region.claim(region.offer())
        surviving = PATIENT.model_copy(update={"patient_id": "H900900"})
        region.rxn.say(PatientChanged(present=surviving, prior=PATIENT, reference="A40-1"))
        region.rxl.say(received(alert_codes=(CRITICAL,)))
        region.work()
        (told,) = [o.body for o in region.rxn.orders(after=0).orders if isinstance(o.body, TellRis)]
        assert told.present_patient is not None
        assert told.present_patient.patient_id == "H900900"
        last = PATIENT.model_copy(update={"patient_id": "H900901"})  # merged again before its node came for it
        region.rxn.say(PatientChanged(present=last, prior=surviving, reference="A40-2"))
        (told,) = [o.body for o in region.rxn.orders(after=0).orders if isinstance(o.body, TellRis)]
        assert told.present_patient is not None
        assert told.present_patient.patient_id == "H900901"
