"""A report that is recalled after it was sent, and before its answer was written down: it may be in the RIS."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from dicom_nodes.contract import (
    FactBody,
    JobParked,
    Order,
    OrderBatch,
    RecallReport,
    ReportAcknowledged,
    ResendJob,
)
from dicom_nodes.flows.report_channels import RisChannel
from dicom_nodes.flows.return_ports import ReturnedAnswer
from dicom_nodes.flows.return_report import ReturnReport
from dicom_nodes.foundation.jobs import Job
from dicom_nodes.model.errors import PeerRefused, PeerUnavailable
from dicom_nodes.spool.returned_answers import write_answers
from dicom_nodes.spool.store import open_store
from tests.fakes.report_desk import Desk
from tests.fakes.report_fakes import MemoryCatalogue, MemoryRis
from tests.peers.processes import wait_until

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


class Node:
    """A node's store, and a RIS; `die` is a kill -9 of the node."""

    def __init__(self, url: str) -> None:
        self.url, self.ris = url, MemoryRis()
        self.desk = Desk()
        self.store = open_store(url, lambda: NOW, "pacs")

    def die(self) -> None:
        self.store.database.dispose()
        self.store = open_store(self.url, lambda: NOW, "pacs")
        self.store.jobs.release_all()

    def flow(self) -> ReturnReport:
        first = self.desk.orders.orders["order-1"].body
        catalogue = MemoryCatalogue({first.study.study_instance_uid: self.desk.record})
        return ReturnReport(self.store.orders, catalogue, {"ris": RisChannel(self.ris)}, "RXN")  # type: ignore[arg-type]

    def order(self, version: int) -> Order:
        first = self.desk.orders.orders["order-1"].body
        status = "F" if version == 1 else "C"
        changes = {"version": version, "status": status, "report_id": f"r{version}", "channels": ("ris",)}
        return Order(seq=version, order_id=f"o-{version}", issued_at=NOW, body=first.model_copy(update=changes))

    def accept(self, *orders: Order) -> None:
        self.store.orders.accept(OrderBatch(log_id="l", orders=orders))

    def recall(self, version: int, *, called_off: bool = True, seq: int = 90) -> None:
        body = RecallReport(read_id="r", order_id=f"o-{version}", channels=("ris",), called_off=called_off)
        self.accept(Order(seq=seq, order_id=f"r-{seq}", issued_at=NOW, body=body))

    def leased(self) -> dict[str, Job]:
        found: dict[str, Job] = {}
        while (job := self.store.jobs.lease(["return"], lease_s=60)) is not None:
            found[job.key] = job
        return found

    def facts(self) -> list[FactBody]:
        return [body for _, _, body in self.store.outbox.pending(100)[1]]

    def asked(self) -> list[str]:
        return [fact.job_key for fact in self.facts() if isinstance(fact, JobParked)]


@pytest.fixture
def node(database_url: str) -> Iterator[Node]:
    node = Node(database_url)
    yield node
    node.store.database.dispose()


def send_and_die(node: Node, version: int) -> None:
    """The RIS says yes, and the node dies before that is written down."""
    job = node.leased()[f"o-{version}/ris"]
    with node.flow().together([job]) as group:
        group(job)
        node.die()


def test_a_version_called_off_after_it_arrived_is_told_of_and_keeps_older_ones_back(node: Node) -> None:
    node.accept(node.order(1), node.order(2))
    send_and_die(node, 2)
    node.recall(2)
    assert node.asked() == ["o-2/ris"]
    jobs = node.leased()
    node.flow()(jobs["o-2/ris"])
    with pytest.raises(PeerUnavailable, match=r"a newer version \(2\) may be there"):
        node.flow()(jobs["o-1/ris"])
    assert [report.version for report in node.ris.received] == [2]


def test_an_older_report_goes_once_a_person_sends_it_again(node: Node) -> None:
    node.accept(node.order(1), node.order(2))
    send_and_die(node, 2)
    node.recall(2)
    node.store.orders.park_with_fact(node.leased()["o-1/ris"], "a newer version may be there")
    resend = ResendJob(job_kind="return", job_key="o-1")
    node.accept(Order(seq=91, order_id="r-91", issued_at=NOW, body=resend))
    node.flow()(node.leased()["o-1/ris"])
    assert [report.version for report in node.ris.received] == [2, 1]


def test_to_send_an_older_report_again_passes_no_version_that_is_still_under_way(node: Node) -> None:
    node.accept(node.order(1), node.order(2))
    send_and_die(node, 2)
    node.store.orders.park_with_fact(node.leased()["o-1/ris"], "a newer version may be there")
    resend = ResendJob(job_kind="return", job_key="o-1")
    node.accept(Order(seq=91, order_id="r-91", issued_at=NOW, body=resend))
    with pytest.raises(PeerUnavailable, match=r"a newer version \(2\) may be there"):
        node.flow()(node.leased()["o-1/ris"])


@pytest.mark.parametrize("called_off", [True, False])
def test_a_first_version_recalled_after_it_arrived_is_told_of(node: Node, called_off: bool) -> None:
    """Also by a merge of patients, after which it goes again under another number."""
    node.accept(node.order(1))
    send_and_die(node, 1)
    node.recall(1, called_off=called_off)
    assert node.asked() == ["o-1/ris"]


def test_nobody_is_asked_about_what_was_never_sent_or_was_answered(node: Node) -> None:
    node.accept(node.order(1))
    node.ris.failure = PeerRefused("the RIS cannot take it")
    job = node.leased()["o-1/ris"]
    with pytest.raises(PeerRefused):
        node.flow()(job)
    node.store.orders.park_with_fact(job, "the RIS cannot take it")
    node.recall(1)
    node.ris.failure = None
    node.accept(node.order(2))
    node.flow()(node.leased()["o-2/ris"])
    node.recall(2, seq=91)
    assert node.asked() == []
    assert [fact.order_id for fact in node.facts() if isinstance(fact, ReportAcknowledged)] == ["o-2"]


@pytest.fixture
def shared(postgresql_url: str) -> Iterator[Node]:
    """A node whose database takes several writers."""
    node = Node(postgresql_url)
    yield node
    node.store.database.dispose()


def test_a_yes_that_is_written_down_beside_a_recall_is_told(shared: Node) -> None:
    shared.accept(shared.order(1))
    job = shared.leased()["o-1/ris"]
    recall = RecallReport(read_id="r", order_id="o-1", channels=("ris",))
    answer = ReturnedAnswer("o-1", "ris", "AA", "C", (), job)
    with ThreadPoolExecutor(1) as pool:
        with shared.store.database.write() as connection:
            shared.store.orders._recall(connection, recall)
            recorded = pool.submit(shared.store.orders.record_all, [answer])
            wait_until(lambda: waits_for_a_lock(shared), "the answer waits for the recall")
        assert recorded.result(10) == [True]
    assert [fact.order_id for fact in shared.facts() if isinstance(fact, ReportAcknowledged)] == ["o-1"]


def test_recalls_and_answers_of_several_orders_do_not_stop_each_other(shared: Node) -> None:
    shared.accept(shared.order(1), shared.order(2))
    jobs = shared.leased()
    recalls = [RecallReport(read_id="r", order_id=f"o-{n}", channels=("ris",)) for n in (1, 2)]
    orders = [Order(seq=90 + n, order_id=f"r-{n}", issued_at=NOW, body=body) for n, body in enumerate(recalls)]
    with ThreadPoolExecutor(1) as pool:
        with shared.store.database.write() as connection:
            answer = ReturnedAnswer("o-2", "ris", "AA", "C", (), jobs["o-2/ris"])
            facts, _ = write_answers(connection, shared.store.jobs, [answer], NOW)
            accepted = pool.submit(shared.accept, *orders)
            wait_until(lambda: waits_for_a_lock(shared), "the recalls wait for the answer")
            shared.store.orders._outbox.append(connection, *facts)
        accepted.result(10)
    assert [fact.order_id for fact in shared.facts()] == ["o-2", "o-2", "r-0", "r-1"]  # type: ignore[union-attr]


def waits_for_a_lock(node: Node) -> bool:
    with node.store.database.read() as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted").scalar_one() > 0
