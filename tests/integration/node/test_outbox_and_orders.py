"""The outbox and the order log of a node, on both databases: gapless numbers, restored partners, true answers."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from dicom_nodes.contract import (
    DeliverStudy,
    FactBatch,
    FactReceipt,
    JobParked,
    Manifest,
    NodeHealth,
    Order,
    OrderBatch,
    OrderCompleted,
    OrderParked,
    PatientIdentity,
    ResendJob,
    StudyIdentity,
)
from dicom_nodes.flows.talk_to_router import SendFacts, take_orders
from dicom_nodes.model.errors import NumberingRefused, PeerUnavailable
from dicom_nodes.spool.store import NodeStore, open_store

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
HEALTH = NodeHealth(
    state="ok", reasons=(), free_bytes=1, parked_jobs=0, quarantined=0, outbox_depth=0, outbox_oldest_s=0
)


class Router:
    """A router's end in memory: keeps what it accepts, and answers as it is told."""

    def __init__(self) -> None:
        self.accepted: list[tuple[str, int, str]] = []
        self.away = False
        self.knows_other_facts: set[str] = set()
        self.orders = OrderBatch(log_id="log-1", orders=())
        self.asked: list[tuple[str | None, int]] = []

    def post_facts(self, batch: FactBatch) -> FactReceipt:
        if self.away:
            raise PeerUnavailable("away")
        if batch.outbox_id in self.knows_other_facts:
            raise NumberingRefused("forked")
        for fact in batch.facts:
            assert isinstance(fact.body, JobParked)
            self.accepted.append((batch.outbox_id, fact.seq, fact.body.job_key))
        return FactReceipt(accepted_through=max((fact.seq for fact in batch.facts), default=0))

    def get_orders(self, log_id: str | None, after: int, wait_s: float) -> OrderBatch:
        self.asked.append((log_id, after))
        return self.orders


@pytest.fixture
def store(database_url: str) -> Iterator[NodeStore]:
    store = open_store(database_url, lambda: NOW, "pacs")
    yield store
    store.database.dispose()


def put(store: NodeStore, *keys: str) -> None:
    with store.database.write() as connection:
        store.outbox.append(
            connection, *(JobParked(job_kind="archive", job_key=key, reason="r", attempts=1) for key in keys)
        )


def send(store: NodeStore, router: Router) -> None:
    SendFacts(store.outbox, router, lambda: HEALTH, lambda: NOW)()


def test_facts_go_once_in_order_and_wait_while_the_router_is_away(store: NodeStore) -> None:
    router = Router()
    router.away = True
    put(store, "a", "b")
    with pytest.raises(PeerUnavailable):
        send(store, router)
    put(store, "c")
    router.away = False
    send(store, router)
    send(store, router)
    assert [(seq, key) for _, seq, key in router.accepted] == [(1, "a"), (2, "b"), (3, "c")]
    assert store.outbox.depth() == (0, 0.0)


def test_many_facts_go_in_full_batches_at_one_call(store: NodeStore) -> None:
    router = Router()
    keys = [str(number) for number in range(450)]
    put(store, *keys)
    batches: list[int] = []
    post_facts = router.post_facts

    def counted(batch: FactBatch) -> FactReceipt:
        batches.append(len(batch.facts))
        return post_facts(batch)

    router.post_facts = counted  # type: ignore[method-assign]
    send(store, router)
    assert batches == [200, 200, 50]
    assert [(seq, key) for _, seq, key in router.accepted] == list(enumerate(keys, start=1))
    assert store.outbox.depth()[0] == 0


def test_a_fact_rolled_back_leaves_no_gap(store: NodeStore) -> None:
    put(store, "a")

    def fail() -> None:
        with store.database.write() as connection:
            store.outbox.append(connection, JobParked(job_kind="x", job_key="lost", reason="r", attempts=1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    put(store, "b")
    assert [seq for seq, _, _ in store.outbox.pending(10)[1]] == [1, 2]


def test_a_refused_numbering_gives_the_outbox_a_new_name_and_loses_nothing(store: NodeStore) -> None:
    router = Router()
    put(store, "a")
    send(store, router)
    first_name = store.outbox.pending(1)[0]
    router.knows_other_facts.add(first_name)
    put(store, "b", "c")
    with pytest.raises(NumberingRefused):
        send(store, router)
    send(store, router)
    second_name = store.outbox.pending(1)[0]
    assert second_name != first_name
    assert router.accepted == [(first_name, 1, "a"), (second_name, 1, "b"), (second_name, 2, "c")]
    put(store, "d")
    send(store, router)
    assert router.accepted[-1] == (second_name, 3, "d")


def deliver(seq: int, order_id: str) -> Order:
    patient = PatientIdentity(issuer="RXN", patient_id="H1")
    study = StudyIdentity(
        study_instance_uid="1.2.3", origin="RXN", accession_number=None, accession_issuer=None, patient=patient
    )
    body = DeliverStudy(read_id="r", study=study, revision=1, manifest=Manifest(entries=()), workstation_ae_title="WS")
    return Order(seq=seq, order_id=order_id, issued_at=NOW, body=body)


def test_orders_are_taken_once_and_a_restored_log_is_read_from_its_start(store: NodeStore) -> None:
    router = Router()
    router.orders = OrderBatch(log_id="log-1", orders=(deliver(1, "o-1"), deliver(2, "o-2")))
    take_orders(store.orders, router, 0)
    router.orders = OrderBatch(log_id="log-2", orders=(deliver(1, "o-1"), deliver(2, "o-3")))
    take_orders(store.orders, router, 0)
    take_orders(store.orders, router, 0)
    assert router.asked == [(None, 0), ("log-1", 2), ("log-2", 2)]
    leased = []
    while (job := store.jobs.lease(["deliver"], lease_s=60)) is not None:
        leased.append(job.key)
    assert leased == ["o-1", "o-2", "o-3"]


def test_a_resend_says_truly_whether_there_was_something_to_send_again(store: NodeStore) -> None:
    router = Router()
    router.orders = OrderBatch(log_id="log-1", orders=(deliver(1, "o-1"),))
    take_orders(store.orders, router, 0)
    job = store.jobs.lease(["deliver"], lease_s=60)
    assert job is not None
    store.orders.park_with_fact(job, "the workstation is off")
    resend = ResendJob(job_kind="deliver", job_key="o-1")
    router.orders = OrderBatch(
        log_id="log-1",
        orders=tuple(Order(seq=n, order_id=f"o-{n}", issued_at=NOW, body=resend) for n in (2, 3)),
    )
    take_orders(store.orders, router, 0)
    facts = [body for _, _, body in store.outbox.pending(10)[1]]
    assert facts == [
        OrderParked(order_id="o-1", reason="the workstation is off", attempts=1),
        OrderCompleted(order_id="o-2"),
        OrderParked(order_id="o-3", reason="no parked deliver job of that key is here", attempts=1),
    ]
    again = store.jobs.lease(["deliver"], lease_s=60)
    assert again is not None
    assert (again.key, again.attempt) == ("o-1", 1)
