"""What a node remembers of reports, on both databases: what each channel filed, how it refused, what was taken in."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from dicom_nodes.contract import (
    Order,
    OrderBatch,
    PatientIdentity,
    ReportAcknowledged,
    ReportAuthor,
    ReportStatus,
    ReturnReport,
    StudyIdentity,
)
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


def test_a_refusals_words_are_kept_at_the_node_and_told_to_nobody(store: NodeStore) -> None:
    store.orders.record_refused("o-1", "ris", "AE", "who is O'Brien?")
    store.orders.record_refused("o-1", "ris", "AR", "O'Brien again")
    store.orders.record_refused("o-2", "ris", "AE", "no")
    assert store.orders.refusals() == {"o-1": ("ris AR: O'Brien again",), "o-2": ("ris AE: no",)}
    assert store.outbox.depth()[0] == 0
