"""An alert goes to the trust's own RIS by a real socket, as a message that no RIS can take for a report."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hl7
import pytest

from dicom_nodes import contract
from dicom_nodes.contract import OrderCompleted
from dicom_nodes.flows.tell_ris import TellRis
from dicom_nodes.hl7.alert_sender import MllpAlertSender
from dicom_nodes.model.errors import PeerRefused, PeerUnavailable
from dicom_nodes.model.study import StudyRecord
from dicom_nodes.spool.store import open_store
from readacross.demo.ris import Behaviour, MllpRis
from tests.fakes.report_fakes import MemoryCatalogue, MemoryOrderStore, leased_job
from tests.fakes.report_samples import STUDY_UID, TRUST, ris_settings
from tests.peers.hl7_oracle import field, report_text
from tests.unit.flows.test_return_report import HEADER, PATIENT

RAISED = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)


def order(**changes: Any) -> contract.Order:
    study = contract.StudyIdentity(
        study_instance_uid=STUDY_UID,
        origin=changes.pop("origin", "RXN"),
        accession_number="RXN000123",
        accession_issuer="RXN",
        patient=PATIENT,
    )
    body = contract.TellRis(
        alert_id="alert-1",
        notification_id="told-1",
        study=study,
        report_id="report-1",
        code=contract.AlertCode(value="CRIT|1", scheme="99ALERT", text="Bleed & shift ^ 5 mm"),
        category="critical finding",
        urgency="critical",
        level=1,
        raised_at=RAISED,
        deadline_at=RAISED + timedelta(hours=1),
        link="https://router.example.nhs.uk/alert/x-_y",
    ).model_copy(update=changes)
    return contract.Order(seq=1, order_id="order-1", issued_at=RAISED, body=body)


def tell(ris: MllpRis | None, charset: str = "UNICODE UTF-8", **changes: Any) -> MemoryOrderStore:
    store = MemoryOrderStore({"order-1": order(**changes)})
    catalogue = MemoryCatalogue({STUDY_UID: StudyRecord(HEADER, "RXN", "CT1", ("CT",), (), 1)})
    settings = ris_settings(ris.address if ris else "127.0.0.1:1", timeout_s=1.0, charset=charset)
    sender = MllpAlertSender(settings, TRUST) if ris else None
    TellRis(store, catalogue, sender, "RXN")(leased_job("order-1"))  # type: ignore[arg-type]
    return store


def test_the_ris_gets_an_alert_under_its_own_identifiers_and_no_report() -> None:
    with MllpRis() as ris:
        store = tell(ris)
        again = tell(ris)
    assert store.completed == again.completed == [("order-1", (OrderCompleted(order_id="order-1"),))]
    message, repeat = ris.messages
    assert message == repeat
    assert field(message, "ORC", 3) == "RXN000123^^^RXN"
    assert field(message, "OBR", 3) == "alert-1"
    assert field(message, "OBR", 4) == "ALERT^Critical results alert^99READACROSS"
    assert field(message, "PID", 3) == "9990000018^^^NHS^NH~H123456^^^RXN^MR^RXN"
    assert "https://router.example.nhs.uk/alert/x-_y" in report_text(message)
    read = hl7.parse(message.decode())
    assert str(read.segments("OBX")[0][5]) == "CRIT\\F\\1^Bleed \\T\\ shift \\S\\ 5 mm^99ALERT"
    assert str(read.segments("OBX")[2][5]) == "20260301110000+0000"


def test_after_a_merge_the_ris_gets_it_under_the_surviving_number() -> None:
    with MllpRis() as ris:
        tell(ris, present_patient=PATIENT.model_copy(update={"patient_id": "H900900"}))
    assert field(ris.messages[0], "PID", 3) == "9990000018^^^NHS^NH~H900900^^^RXN^MR^RXN"


@pytest.mark.parametrize(
    ("behaviour", "failure", "words"),
    [
        ("AE", PeerRefused, "answered AE"),
        ("AR", PeerRefused, "answered AR"),
        ("silent", PeerUnavailable, "no answer within 1 s"),
        ("hang up", PeerUnavailable, "closed the connection"),
    ],
)
def test_a_ris_that_does_not_take_it_completes_nothing(
    behaviour: Behaviour, failure: type[Exception], words: str
) -> None:
    with MllpRis(behaviour) as ris, pytest.raises(failure, match=words):
        tell(ris)


def test_an_alert_of_another_trusts_study_is_refused() -> None:
    with MllpRis() as ris, pytest.raises(PeerRefused, match="for RXL, this node stands for RXN"):
        tell(ris, origin="RXL")
    assert ris.messages == []


def test_without_a_ris_nobody_is_told() -> None:
    with pytest.raises(PeerRefused, match="no RIS is set"):
        tell(None)


def test_a_character_set_that_cannot_carry_it_is_a_refusal() -> None:
    code = contract.AlertCode(value="C", scheme="S", text="Łódź")
    with MllpRis() as ris, pytest.raises(PeerRefused, match="has no"):
        tell(ris, charset="ASCII", code=code)
    assert ris.messages == []


def test_an_order_becomes_a_job_of_the_node_that_waits_behind_nothing(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/node.db", lambda: RAISED, "pacs")
    catalogue = MemoryCatalogue({STUDY_UID: StudyRecord(HEADER, "RXN", "CT1", ("CT",), (), 1)})
    try:
        with store.database.write() as connection:
            store.jobs.enqueue(connection, kind="archive", key="1.2.3", destination="archive")
        store.orders.accept(contract.OrderBatch(log_id="log", orders=(order(),)))
        job = store.jobs.lease(["archive", "tell_ris"], lease_s=60)
        assert job is not None
        assert (job.kind, job.key) == ("tell_ris", "order-1")
        with MllpRis() as ris:
            sender = MllpAlertSender(ris_settings(ris.address), TRUST)
            TellRis(store.orders, catalogue, sender, "RXN")(job)  # type: ignore[arg-type]
        _, facts = store.outbox.pending(10)
        assert [body for _, _, body in facts] == [OrderCompleted(order_id="order-1")]
    finally:
        store.database.dispose()
