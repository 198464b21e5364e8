"""A patient is changed while a report is being taken: whichever comes first, it goes home under who the patient is."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from dicom_nodes.contract import PatientChanged, PatientIdentity, RecallReport, ReturnReport
from router.flows.take_report import report_of, take_report
from tests.integration.router.region import PATIENT, Region, received, running_region
from tests.integration.router.test_patient_conflicts import OTHER, SURVIVING, settle

WAITS_FOR_A_LOCK = text(
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


def store_of(region: Region) -> Any:
    return region.client.app.state.services.store  # type: ignore[attr-defined]


def going_home(region: Region) -> list[ReturnReport | RecallReport]:
    return [one.body for one in region.rxn.new_orders() if isinstance(one.body, ReturnReport | RecallReport)]


@pytest.mark.peers("postgresql")
@pytest.mark.parametrize("into", [SURVIVING, OTHER], ids=["agrees", "contradicts"])
def test_a_report_taken_by_another_replica_in_the_moment_of_a_merge_is_recalled(
    tmp_path: Path, postgresql_url: str, into: PatientIdentity
) -> None:
    with running_region(tmp_path, postgresql_url) as region:
        _merge_while_a_report_is_taken(region, into)
        kinds = [(one.kind, getattr(one, "present_patient", None)) for one in going_home(region)]
        assert kinds == [("recall", None), ("return", SURVIVING)][: 1 if into is OTHER else 2]
        assert len(region.queue("study_conflict")) == (into is OTHER)


def _merge_while_a_report_is_taken(region: Region, into: PatientIdentity) -> None:
    store = store_of(region)
    region.offer()
    merge = PatientChanged(present=into, prior=PATIENT, reference="A40-1")
    telling = threading.Thread(target=region.rxn.say, args=(merge,))
    with store.write() as tx:
        now = region.clock()
        assert take_report(tx, report_of("RXL", received(), now, now), now).read_id
        telling.start()
        while telling.is_alive() and not _waits(store):
            time.sleep(0.01)
    telling.join()


def test_what_goes_under_the_old_identity_when_two_persons_change_it_is_recalled(region: Region) -> None:
    """It may have been sent by a router of before, which did not hold it."""
    region.offer()
    region.rxl.say(received())
    region.rxn.say(PatientChanged(present=OTHER, prior=PATIENT, reference="A40-1"))
    with store_of(region).database.write() as connection:
        connection.execute(text("UPDATE delivery SET state = 'SENT', note = NULL"))
    going_home(region)
    (conflict,) = region.get("/patient-conflicts")
    settle(region, "propose", "jane", conflict["id"])
    assert settle(region, "confirm", "omar", conflict["id"]).json()["decided"] == "applied"
    recall, again = going_home(region)
    assert isinstance(recall, RecallReport)
    assert set(recall.channels) == {"ris", "archive"}
    assert isinstance(again, ReturnReport)
    assert (again.present_patient, set(again.channels)) == (OTHER, {"ris", "archive"})


def _waits(store: Any) -> bool:
    with store.database.read() as connection:
        return bool(connection.execute(WAITS_FOR_A_LOCK).scalar_one())
