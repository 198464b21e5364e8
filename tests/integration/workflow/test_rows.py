"""The workflow services' rows on SQLite and PostgreSQL: the same statements, the same outcome."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from dicom_nodes.model.attributes import Attributes
from dicom_nodes.model.commitment import CommitmentRequest, CommitmentResult, InstanceReference
from dicom_nodes.model.errors import OperationRefused, OrderConflict
from dicom_nodes.model.procedure import (
    Announcement,
    ImagingOrder,
    OrderControl,
    OrderNumber,
    PatientNumber,
    ScheduledStep,
)
from dicom_nodes.rules.procedure_step import changed, created
from dicom_nodes.spool.store import NodeStore, open_store

NOW = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
CT = "1.2.840.10008.5.1.4.1.1.2"
ONE, TWO = InstanceReference(CT, "2.25.1"), InstanceReference(CT, "2.25.2")
BEGINS: Attributes = {
    "PerformedProcedureStepStatus": "IN PROGRESS",
    "PerformedProcedureStepID": "1",
    "PerformedStationAETitle": "CT1",
    "PerformedProcedureStepStartDate": "20261127",
    "PerformedProcedureStepStartTime": "100000",
    "Modality": "CT",
    "ScheduledStepAttributesSequence": [{"StudyInstanceUID": "1.2.3", "ScheduledProcedureStepID": "S1"}],
}


def ends(*instances: InstanceReference) -> Attributes:
    items: list[Attributes] = [
        {"ReferencedSOPClassUID": one.sop_class_uid, "ReferencedSOPInstanceUID": one.sop_instance_uid}
        for one in instances
    ]
    return {
        "PerformedProcedureStepStatus": "COMPLETED",
        "PerformedProcedureStepEndDate": "20261127",
        "PerformedProcedureStepEndTime": "103000",
        "PerformedSeriesSequence": [{"SeriesInstanceUID": "1.2.4", "ReferencedImageSequence": items}],
    }


@pytest.fixture
def store(database_url: str) -> Iterator[NodeStore]:
    opened = open_store(database_url, lambda: NOW, "PACS")
    yield opened
    opened.database.dispose()


def order(control: OrderControl, number: str = "A1", step: str = "S1", station: str = "CT1") -> ImagingOrder:
    inner: Attributes = {"ScheduledStationAETitle": station}
    item: Attributes = {"PatientID": "T1", "IssuerOfPatientID": "RXN", "ScheduledProcedureStepSequence": [inner]}
    scheduled = ScheduledStep(step, "1.2.3", "20261127", item)
    number_here = OrderNumber(number, "RXN")
    return ImagingOrder(
        control, None, number_here, (scheduled,), original=b"message", patient=PatientNumber("T1", "RXN")
    )


def stations(store: NodeStore) -> list[object]:
    return [item["ScheduledProcedureStepSequence"] for item in store.worklist.scheduled("20261127", None)]


def test_a_request_is_kept_once_and_refused_with_other_content(store: NodeStore) -> None:
    asked = CommitmentRequest("CT1", "2.25.9", (ONE, TWO))
    for _ in range(2):
        store.commitment_requests.take(asked)
    assert store.commitment_requests.request(asked.key) == asked
    store.commitment_requests.record_reported(asked.key, {"2.25.2": 0x0112})
    assert store.commitment_requests.is_reported(asked.key)
    with pytest.raises(OperationRefused):
        store.commitment_requests.take(CommitmentRequest("CT1", "2.25.9", (ONE,)))
    store.commitment_requests.take(CommitmentRequest("CT2", "2.25.9", (ONE,)))


def test_a_result_counts_only_for_a_transaction_of_ours(store: NodeStore) -> None:
    result = CommitmentResult("2.25.9", (ONE,), {TWO: 0x0112})
    assert not store.archive_commitments.take_result(result, 3)
    store.archive_commitments.open_transaction("2.25.9", "1.2.3", [ONE, TWO])
    store.archive_commitments.record_accepted("2.25.9")
    assert store.archive_commitments.unanswered("1.2.3") == 1
    for refusals in (1, 2, 3):
        assert store.archive_commitments.take_result(result, 3)
        assert store.archive_commitments.refused("1.2.3", refusals) == 1
    assert store.archive_commitments.unanswered("1.2.3") == 0
    store.archive_commitments.give_up("1.2.3")
    assert store.archive_commitments.refused("1.2.3", 1) == 0


def test_steps_announce_what_they_made_and_only_lists_settle(store: NodeStore) -> None:
    store.procedure_steps.create(created("2.25.7", BEGINS, "CT1"))
    store.procedure_steps.create(created("2.25.8", BEGINS, "CT1"))
    with pytest.raises(OperationRefused):
        store.procedure_steps.create(created("2.25.8", BEGINS, "CT1"))
    store.procedure_steps.change("2.25.7", lambda step: changed(step, ends(ONE, TWO)), NOW)
    store.announcements.take(Announcement("1.2.3", "PACS", (TWO,)), NOW)
    found = store.announcements.announced("1.2.3")
    assert found is not None
    assert (found.instances, found.missing, found.announced_at, found.steps_ended) == (2, 2, NOW, False)
    store.procedure_steps.change("2.25.8", lambda step: changed(step, ends()), NOW)
    unlisted = store.announcements.announced("1.2.3")
    assert unlisted is not None
    assert not unlisted.steps_ended, "a step without a list may have made anything"


def test_a_step_whose_fellow_was_discontinued_ends_the_study(store: NodeStore) -> None:
    for uid in ("2.25.7", "2.25.8"):
        store.procedure_steps.create(created(uid, BEGINS, "CT1"))
    store.procedure_steps.change("2.25.7", lambda step: changed(step, ends(ONE)), NOW)
    stopped = ends() | {"PerformedProcedureStepStatus": "DISCONTINUED"}
    store.procedure_steps.change("2.25.8", lambda step: changed(step, stopped), NOW)
    found = store.announcements.announced("1.2.3")
    assert found is not None
    assert found.steps_ended


def test_the_worklist_follows_orders_and_performed_steps(store: NodeStore) -> None:
    store.worklist.take([order(OrderControl.NEW), order(OrderControl.NEW, "A2", "S2")])
    store.worklist.take([order(OrderControl.CHANGE, station="CT2")])
    assert stations(store) == [[{"ScheduledStationAETitle": "CT2"}], [{"ScheduledStationAETitle": "CT1"}]]
    store.procedure_steps.create(created("2.25.7", BEGINS, "CT1"))
    assert len(stations(store)) == 1
    with pytest.raises(OrderConflict):
        store.worklist.take([order(OrderControl.CANCEL, "A2"), order(OrderControl.CANCEL, "A1")])
    assert len(stations(store)) == 1, "a message is carried out whole or not at all"
    store.worklist.take([order(OrderControl.CANCEL, "A2")])
    assert stations(store) == []


def test_a_modality_and_an_archive_may_announce_the_same_at_the_same_time(store: NodeStore) -> None:
    """On PostgreSQL both look before either has written; neither may fail for it."""
    failures: list[Exception] = []
    start = threading.Barrier(2)

    def announce(study: str, by: str) -> None:
        start.wait()
        try:
            store.announcements.take(Announcement(study, by, (ONE, TWO)), NOW)
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    for number in range(12):
        threads = [threading.Thread(target=announce, args=(f"1.2.3.{number}", by)) for by in ("CT1", "PACS")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = store.announcements.announced(f"1.2.3.{number}")
        assert found is not None
        assert found.instances == 2
    assert failures == []


def test_later_announcements_do_not_hold_a_study_longer(store: NodeStore) -> None:
    later = NOW + timedelta(hours=1)
    store.announcements.take(Announcement("1.2.3", "PACS", (ONE,)), NOW)
    store.announcements._clock = lambda: later
    store.announcements.take(Announcement("1.2.3", "PACS", (TWO,)), later)
    found = store.announcements.announced("1.2.3")
    assert found is not None
    assert (found.missing, found.announced_at) == (2, NOW)
