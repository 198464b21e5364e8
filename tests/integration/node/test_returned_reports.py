"""What a node remembers of reports, on both databases: what each channel filed, how it refused, what was taken in."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dicom_nodes.contract import (
    FactBody,
    Order,
    OrderBatch,
    OrderCompleted,
    OrderParked,
    PatientIdentity,
    RecallReport,
    ReportAcknowledged,
    ReportAuthor,
    ReportStatus,
    ResendJob,
    ReturnReport,
    StudyIdentity,
)
from dicom_nodes.foundation.database import open_database
from dicom_nodes.foundation.jobs import Job, LeaseLost
from dicom_nodes.rules.report_order import Filed
from dicom_nodes.spool.store import NodeStore, open_store

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@pytest.fixture
def store(database_url: str) -> Iterator[NodeStore]:
    store = open_store(database_url, lambda: NOW, "pacs")
    yield store
    store.database.dispose()


def returning(seq: int, version: int, status: ReportStatus, study_instance_uid: str = "1.2.3") -> Order:
    patient = PatientIdentity(issuer="RXN", patient_id="H1")
    study = StudyIdentity(
        study_instance_uid=study_instance_uid,
        origin="RXN",
        accession_number=None,
        accession_issuer=None,
        patient=patient,
    )
    body = ReturnReport(
        read_id="r",
        report_id=f"report-{version}",
        version=version,
        study=study,
        status=status,
        text="Text.",
        author=ReportAuthor(registration="C9991234"),
        authored_at=NOW,
        verified_at=NOW,
    )
    return Order(seq=seq, order_id=f"o-{seq}", issued_at=NOW, body=body)


def test_the_highest_version_a_channel_acknowledged_is_remembered_per_study(store: NodeStore) -> None:
    orders = (returning(1, 1, "P"), returning(2, 2, "F"), returning(3, 1, "F", "1.2.4"))
    store.orders.accept(OrderBatch(log_id="log-1", orders=orders))
    assert store.orders.filed("1.2.3", "ris") is None
    for order_id in ("o-2", "o-1", "o-3", "o-2"):
        store.orders.record_returned(order_id, "ris", "AA", "control id")
    store.orders.record_returned("o-1", "archive", "0000", "1.2.5")
    assert store.orders.filed("1.2.3", "ris") == Filed(2, "F")
    assert store.orders.filed("1.2.3", "archive") == Filed(1, "P")
    assert store.orders.filed("1.2.4", "ris") == Filed(1, "F")
    assert store.orders.filed("1.2.4", "archive") is None
    facts = [body for _, _, body in store.outbox.pending(10)[1]]
    assert [fact.order_id for fact in facts if isinstance(fact, ReportAcknowledged)] == ["o-2", "o-1", "o-3", "o-1"]


def test_a_sending_that_was_begun_is_remembered_until_it_is_forgotten(store: NodeStore, database_url: str) -> None:
    store.orders.accept(OrderBatch(log_id="log-1", orders=(returning(1, 2, "F"), returning(2, 3, "C"))))
    assert store.orders.begun("1.2.3", "ris") is None
    assert not store.orders.begin_return("1.2.3", "ris", 2)
    assert store.orders.begin_return("1.2.3", "ris", 2), "the second time it may be there"
    assert not store.orders.begin_return("1.2.3", "ris", 3)
    again = open_store(database_url, lambda: NOW, "pacs")
    assert again.orders.begun("1.2.3", "ris") == 3
    again.database.dispose()
    store.orders.forget_begun("1.2.3", "ris", 3)
    assert store.orders.begun("1.2.3", "ris") == 2, "a plain no to the later says nothing of the earlier"
    assert not store.orders.begin_return("1.2.3", "ris", 3)
    store.orders.forget_begun("1.2.3", "ris", 2)
    assert store.orders.begun("1.2.3", "ris") == 3, "only the version that is meant"
    recall = RecallReport(read_id="r", order_id="o-2", channels=("ris",))
    store.orders.accept(OrderBatch(log_id="log-1", orders=(Order(seq=3, order_id="o-3", issued_at=NOW, body=recall),)))
    assert store.orders.begun("1.2.3", "ris") == 3, "a merge recalls what it sends again"
    recall = recall.model_copy(update={"called_off": True})
    store.orders.accept(OrderBatch(log_id="log-1", orders=(Order(seq=4, order_id="o-4", issued_at=NOW, body=recall),)))
    assert store.orders.begun("1.2.3", "ris") == 3, "called off, it may be there all the same"
    assert store.orders.begun("1.2.3", "fhir") is None


def test_a_database_with_the_table_of_before_remembers_each_version(tmp_path: Path) -> None:
    """There a row for a study and channel was all, and a second version would have been taken for known."""
    url = f"sqlite:///{tmp_path}/node.sqlite"
    before = open_database(url)
    with before.write() as connection:
        key = "PRIMARY KEY (study_instance_uid, channel)"
        connection.exec_driver_sql(f"CREATE TABLE begun_return (study_instance_uid, channel, version, {key})")
        connection.exec_driver_sql("INSERT INTO begun_return VALUES ('1.2.3', 'ris', 2)")
    before.dispose()
    store = open_store(url, lambda: NOW, "pacs")
    assert not store.orders.begin_return("1.2.3", "ris", 2)
    assert not store.orders.begin_return("1.2.3", "ris", 3)
    assert store.orders.begun("1.2.3", "ris") == 3
    store.database.dispose()


def test_a_refusals_words_are_kept_at_the_node_and_told_to_nobody(store: NodeStore) -> None:
    store.orders.record_refused("o-1", "ris", "AE", "who is O'Brien?")
    store.orders.record_refused("o-1", "ris", "AR", "O'Brien again")
    store.orders.record_refused("o-2", "ris", "AE", "no")
    assert store.orders.refusals() == {"o-1": ("ris AR: O'Brien again",), "o-2": ("ris AE: no",)}
    assert store.outbox.depth()[0] == 0


def leased(store: NodeStore) -> dict[str, Job]:
    """Every job that is due, leased: key → job."""
    found: dict[str, Job] = {}
    while (job := store.jobs.lease(["return"], lease_s=60)) is not None:
        found[job.key] = job
    return found


def facts_of(store: NodeStore) -> list[FactBody]:
    return [body for _, _, body in store.outbox.pending(100)[1]]


def test_each_channel_has_a_job_of_its_own_and_the_last_one_completes_the_order(store: NodeStore) -> None:
    store.orders.accept(OrderBatch(log_id="log-1", orders=(returning(1, 1, "F"), returning(2, 2, "F"))))
    jobs = leased(store)
    assert sorted(jobs) == ["o-1/archive", "o-1/ris", "o-2/archive", "o-2/ris"]
    assert {job.destination for job in jobs.values()} == {"return:ris", "return:archive"}
    assert not store.orders.record_returned("o-1", "archive", "0000", "1.2", ("layout: x",), jobs["o-1/archive"])
    assert store.orders.record_returned("o-1", "ris", "AA", "C", (), jobs["o-1/ris"])
    *acknowledged, completed = facts_of(store)
    assert [fact.losses for fact in acknowledged if isinstance(fact, ReportAcknowledged)] == [("layout: x",), ()]
    assert completed == OrderCompleted(order_id="o-1", channels=("archive", "ris"))
    assert store.orders.losses("o-1") == {"archive": ("layout: x",)}


def test_a_channel_that_waits_for_a_person_is_told_and_holds_up_no_other(store: NodeStore) -> None:
    store.orders.accept(OrderBatch(log_id="log-1", orders=(returning(1, 1, "F"),)))
    jobs = leased(store)
    store.orders.park_with_fact(jobs["o-1/ris"], "the RIS answered AE")
    store.orders.record_returned("o-1", "archive", "0000", "1.2", (), jobs["o-1/archive"])
    parked = facts_of(store)[0]
    assert parked == OrderParked(order_id="o-1", reason="the RIS answered AE", attempts=1, channel="ris")
    resend = ResendJob(job_kind="return", job_key="o-1")
    store.orders.accept(OrderBatch(log_id="log-1", orders=(Order(seq=2, order_id="o-9", issued_at=NOW, body=resend),)))
    assert list(again := leased(store)) == ["o-1/ris"]
    assert store.orders.record_returned("o-1", "ris", "AA", "C", (), again["o-1/ris"])
    done = [fact.order_id for fact in facts_of(store) if isinstance(fact, OrderCompleted)]
    assert done == ["o-9", "o-1"]


def test_an_order_that_names_channels_goes_by_those_alone(store: NodeStore) -> None:
    order = returning(1, 1, "F")
    named = order.model_copy(update={"body": order.body.model_copy(update={"channels": ("pdf",)})})
    store.orders.accept(OrderBatch(log_id="log-1", orders=(named,)))
    assert list(leased(store)) == ["o-1/pdf"]


def test_a_recalled_channel_ends_by_itself_also_where_it_was_parked(store: NodeStore) -> None:
    store.orders.accept(OrderBatch(log_id="log-1", orders=(returning(1, 1, "F"),)))
    jobs = leased(store)
    store.orders.park_with_fact(jobs["o-1/ris"], "no")
    store.orders.record_returned("o-1", "archive", "0000", "1.2", (), jobs["o-1/archive"])
    recall = RecallReport(read_id="r", order_id="o-1", channels=("ris",))
    store.orders.accept(OrderBatch(log_id="log-1", orders=(Order(seq=2, order_id="o-9", issued_at=NOW, body=recall),)))
    assert store.orders.returned("o-1") == {"ris", "archive"}
    (job,) = leased(store).values()
    assert store.orders.finish_return(job)
    assert facts_of(store)[-1] == OrderCompleted(order_id="o-1", channels=("archive",))


def test_a_refusal_is_told_as_the_channels_answer(store: NodeStore) -> None:
    store.orders.record_refused("o-1", "ris", "AE", "who is O'Brien?", "its words may name the patient")
    (told,) = facts_of(store)
    assert told == ReportAcknowledged(
        order_id="o-1", channel="ris", code="AE", reference="", words="its words may name the patient"
    )


def test_an_addendum_is_filed_as_a_change_of_what_stood(store: NodeStore) -> None:
    order = returning(1, 1, "F")
    addendum = order.model_copy(update={"body": order.body.model_copy(update={"addendum": True})})
    store.orders.accept(OrderBatch(log_id="log-1", orders=(addendum,)))
    store.orders.record_returned("o-1", "ris", "AA", "C")
    assert store.orders.filed("1.2.3", "ris") == Filed(1, "C")


def test_answers_that_come_together_stand_each_by_itself(store: NodeStore) -> None:
    store.orders.accept(OrderBatch(log_id="log-1", orders=tuple(returning(n, n, "F") for n in range(1, 5))))
    jobs = leased(store)
    lost = replace(jobs["o-3/ris"], lease_token="another's")

    def record(key: str) -> bool:
        order_id, _, channel = key.partition("/")
        return store.orders.record_returned(order_id, channel, "AA", key, (), lost if key == "o-3/ris" else jobs[key])

    with ThreadPoolExecutor(len(jobs)) as pool:
        futures = {key: pool.submit(record, key) for key in jobs}
    assert isinstance(futures.pop("o-3/ris").exception(), LeaseLost)
    futures.pop("o-3/archive").result()
    last = [key for key, future in futures.items() if future.result()]
    assert sorted(key.partition("/")[0] for key in last) == ["o-1", "o-2", "o-4"]
    assert store.orders.returned("o-3") == {"archive"}
    facts = facts_of(store)
    assert len([fact for fact in facts if isinstance(fact, ReportAcknowledged)]) == 7
    assert sorted(fact.order_id for fact in facts if isinstance(fact, OrderCompleted)) == sorted(
        key.partition("/")[0] for key in last
    )
