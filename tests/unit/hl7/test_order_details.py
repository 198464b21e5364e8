"""What an order asks besides its procedure, and what of it the router is told."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from dicom_nodes.contract import ImagingOrdered, PatientIdentity, Referrer
from dicom_nodes.flows.keep_refused import KeepRefused
from dicom_nodes.flows.worklist import ServeWorklist
from dicom_nodes.hl7.ack import read_ack
from dicom_nodes.hl7.imaging_order import OrderIssuers
from dicom_nodes.hl7.order_details import OrderCodes
from dicom_nodes.hl7.order_intake import OrderIntake
from dicom_nodes.spool.store import NodeStore, open_store

NOW = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
MSH = r"MSH|^~\&|RIS|RXN|READACROSS|RXN|20261127090000||OMI^O23|M1|P|2.5.1"
PID = "PID|1||T100^^^RXN^MR~9990000018^^^NHS^NH||O'Brien^Anne||19700102|F"


def segment(name: str, **fields: str) -> str:
    """A segment with these fields, named `f13` and so on."""
    numbered = {int(field[1:]): value for field, value in fields.items()}
    return "|".join([name, *(numbered.get(number, "") for number in range(1, max(numbered) + 1))])


OBR = segment(
    "OBR",
    f1="1",
    f4="CABDO^CT abdomen^NICIP",
    f13="weight loss",
    f17="0113 496 0999",
    f31="RFI^Suspected cancer of pancreas",
)
IPC = "IPC|A1|RP1|1.2.826.0.1.99.1|SPS1|CT||||CT1"
CODES = OrderCodes(("2WW",), {"2WW": "cancer_28_days"})


@pytest.fixture
def store(tmp_path: Path) -> NodeStore:
    return open_store(f"sqlite:///{tmp_path}/node.sqlite", lambda: NOW, "PACS")


def send(store: NodeStore, control: str = "NW", priority: str = "S", obr: str = OBR) -> list[ImagingOrdered]:
    """Send the order, which must be taken; what the router is told by it."""
    before = store.outbox.last_number()
    issuers, keep = OrderIssuers("RXN", "RXN"), KeepRefused(store.refused_messages)
    intake = OrderIntake(ServeWorklist(store.worklist).take, issuers, {}, lambda: NOW, CODES, keep=keep)
    timing = f"TQ1|1||||||202611281015||{priority}"
    orc = segment("ORC", f1=control, f2="P1^RIS", f3="A1^^^RXN", f12="C7654321^Fell^Ruth", f14="0113 496 0000")
    segments = [MSH, PID, orc, timing, obr, *([IPC] if control in {"NW", "XO"} else [])]
    ack = read_ack(intake("\r".join([*segments, ""]).encode()))
    assert ack.code == "AA", ack.words
    _, facts = store.outbox.pending(100)
    return [body for seq, _, body in facts if seq > before and isinstance(body, ImagingOrdered)]


def test_the_router_is_told_what_the_order_asks_and_who_asks(store: NodeStore) -> None:
    assert send(store) == [
        ImagingOrdered(
            accession_number="A1",
            accession_issuer="RXN",
            patient=PatientIdentity(
                issuer="RXN", patient_id="T100", nhs_number="9990000018", birth_date=date(1970, 1, 2)
            ),
            study_instance_uid="1.2.826.0.1.99.1",
            urgency="stat",
            clinical_question="weight loss; Suspected cancer of pancreas",
            referrer=Referrer(name="Fell, Ruth", registration="C7654321", contact="0113 496 0000"),
            critical_contact="0113 496 0999",
        )
    ]


def test_suspected_cancer_and_pathway_are_the_trusts_own_codes_and_no_words(store: NodeStore) -> None:
    assert not send(store)[0].suspected_cancer
    (told,) = send(store, "XO", "S~2WW")
    assert (told.suspected_cancer, told.pathway, told.urgency) == (True, "cancer_28_days", "stat")


def test_a_cancellation_tells_which_order_it_ends(store: NodeStore) -> None:
    send(store)
    (told,) = send(store, "CA")
    assert (told.accession_number, told.study_instance_uid, told.cancelled) == ("A1", "1.2.826.0.1.99.1", True)


def test_a_message_that_only_tells_a_status_says_nothing_to_the_router(store: NodeStore) -> None:
    send(store)
    assert send(store, "SC") == []
