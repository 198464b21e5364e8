"""Orders as HL7 messages against rows: no order touches another's entry, another patient's, or nothing behind an AA."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete

from dicom_nodes.flows.keep_refused import KeepRefused
from dicom_nodes.flows.worklist import ServeWorklist
from dicom_nodes.hl7.ack import read_ack
from dicom_nodes.hl7.imaging_order import OrderIssuers
from dicom_nodes.hl7.order_intake import OrderIntake
from dicom_nodes.model.attributes import text_of
from dicom_nodes.rules.procedure_step import changed, created
from dicom_nodes.spool import scheduled_steps
from dicom_nodes.spool.service_tables import scheduled_step
from dicom_nodes.spool.store import open_store
from tests.integration.workflow.test_rows import BEGINS, ends

NOW = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
OTHERS = "AE ORC-1: the order of this number is another patient's (PID-3)"
TWO_ORDERS = "AE ORC-1: the placer's and the filler's number name different orders here"


class Ris:
    """Sends order messages of one ORC, and sees the worklist."""

    def __init__(self, url: str) -> None:
        self.now = NOW
        self.store = open_store(url, lambda: self.now, "PACS")
        self._intake = OrderIntake(
            ServeWorklist(self.store.worklist).take,
            OrderIssuers("RXN", "RXN"),
            {"CT": "CT1"},
            keep=KeepRefused(self.store.refused_messages),
        )

    def send(self, *segments: str) -> str:
        ack = read_ack(self._intake("\r".join([MSH, *segments]).encode() + b"\r"))
        return " ".join(filter(None, (ack.code, ack.words)))

    def order(self, control: str, patient: str, placer: str, filler: str, code: str = "HEAD", status: str = "") -> str:
        return self.send(*order(control, patient, placer, filler, code, status))

    def listed(self) -> list[tuple[str, str]]:
        found = self.store.worklist.scheduled(None, None)
        return sorted((text_of(item, "PatientID"), text_of(item, "RequestedProcedureDescription")) for item in found)

    def study_uids(self) -> set[str]:
        return {text_of(item, "StudyInstanceUID") for item in self.store.worklist.scheduled(None, None)}


MSH = "MSH|^~\\&|RIS|T|N|T|20261127||ORM^O01|1|P|2.4"


def order(control: str, patient: str, placer: str, filler: str, code: str, status: str = "") -> list[str]:
    return [
        f"PID|1||{patient}^^^RXN^MR||Test^{patient}||19700101|F",
        f"ORC|{control}|{placer}|{filler}||{status}||^^^202611271200",
        f"OBR|1|{placer}|{filler}|{code}^{code}^L||||||||||||||||||||CT",
    ]


@pytest.fixture
def ris(database_url: str) -> Iterator[Ris]:
    opened = Ris(database_url)
    yield opened
    opened.store.database.dispose()


def test_a_placers_and_a_fillers_number_may_be_equal_without_being_one_order(ris: Ris) -> None:
    assert ris.order("NW", "A", "1001", "") == "AA"
    assert ris.order("NW", "B", "2002", "1001", "CHEST") == "AA"
    assert ris.listed() == [("A", "HEAD"), ("B", "CHEST")]
    assert len(ris.study_uids()) == 2


def test_a_space_in_a_number_or_its_issuer_mixes_no_orders(ris: Ris) -> None:
    assert ris.order("NW", "A", "", "2 1^RXN") == "AA"
    assert ris.order("NW", "B", "", "1^RXN 2", "CHEST") == "AA"
    assert ris.listed() == [("A", "HEAD"), ("B", "CHEST")]
    assert len(ris.study_uids()) == 2


@pytest.mark.parametrize("control", ["NW", "XO", "SC", "CA", "DC"])
def test_an_order_is_one_patients_for_good(ris: Ris, control: str) -> None:
    assert ris.order("NW", "A", "P1", "F1") == "AA"
    assert ris.order(control, "B", "P1", "F1", status="CA").startswith(OTHERS)
    assert ris.listed() == [("A", "HEAD")]


@pytest.mark.parametrize("control", ["NW", "XO", "SC", "CA", "DC"])
def test_numbers_that_name_two_orders_change_neither(ris: Ris, control: str) -> None:
    assert ris.order("NW", "A", "", "F1") == "AA"
    assert ris.order("NW", "A", "P9", "F2", "CHEST") == "AA"
    assert ris.order(control, "A", "P9", "F1", status="CA").startswith(TWO_ORDERS)
    assert ris.listed() == [("A", "CHEST"), ("A", "HEAD")]


def test_an_order_that_gets_its_fillers_number_later_stays_one_order(ris: Ris) -> None:
    assert ris.order("NW", "A", "P1", "") == "AA"
    assert ris.order("XO", "A", "P1", "F1", "CHEST") == "AA"
    assert ris.listed() == [("A", "CHEST")]
    assert ris.order("CA", "A", "", "F1") == "AA"
    assert ris.listed() == []


@pytest.mark.parametrize("ended", ["CA", "DC", "CM"])
def test_a_status_never_brings_an_examination_back(ris: Ris, ended: str) -> None:
    assert ris.order("NW", "A", "P1", "F1") == "AA"
    assert ris.order("SC", "A", "P1", "F1", status=ended) == "AA"
    assert ris.order("SC", "A", "P1", "F1", status="SC").startswith("AE ORC-1: the examination is ")
    assert ris.listed() == []


def test_a_status_that_an_examination_has_is_taken(ris: Ris) -> None:
    assert ris.order("NW", "A", "P1", "F1") == "AA"
    assert ris.order("SC", "A", "P1", "F1", status="SC") == "AA"
    assert ris.listed() == [("A", "HEAD")]


@pytest.mark.parametrize("ended", ["CA", "DC"])
def test_a_cancelled_examination_that_is_ordered_again_is_listed_again(ris: Ris, ended: str) -> None:
    assert ris.order("NW", "A", "P1", "F1") == "AA"
    assert ris.order(ended, "A", "P1", "F1") == "AA"
    assert ris.order("XO", "A", "P1", "F1").startswith("AE ORC-1: the examination was cancelled or discontinued")
    assert ris.listed() == []
    assert ris.order("NW", "A", "P1", "F1") == "AA"
    assert ris.listed() == [("A", "HEAD")]


@pytest.mark.parametrize("status", ["IP", "CM"])
def test_an_examination_that_has_begun_is_not_ordered_again_behind_an_aa(ris: Ris, status: str) -> None:
    assert ris.order("NW", "A", "P1", "F1") == "AA"
    assert ris.order("SC", "A", "P1", "F1", status=status) == "AA"
    assert ris.order("NW", "A", "P1", "F1").startswith("AE ORC-1: the examination has begun")


@pytest.mark.parametrize(
    ("state", "listed"), [("COMPLETED", []), ("IN PROGRESS", []), ("DISCONTINUED", [("A", "HEAD")])]
)
def test_what_was_performed_before_its_order_came_is_not_listed(ris: Ris, state: str, listed: list[object]) -> None:
    assert ris.order("NW", "A", "P1", "F1") == "AA"
    (item,) = ris.store.worklist.scheduled(None, None)
    begins = BEGINS | {"ScheduledStepAttributesSequence": [{"StudyInstanceUID": text_of(item, "StudyInstanceUID")}]}
    with ris.store.database.write() as connection:
        connection.execute(delete(scheduled_step))
    ris.store.procedure_steps.create(created("2.25.7", begins, "CT1"))
    if state != "IN PROGRESS":
        end = ends() | {"PerformedProcedureStepStatus": state}
        ris.store.procedure_steps.change("2.25.7", lambda step: changed(step, end), NOW)
    assert ris.order("NW", "A", "P1", "F1") == "AA"
    assert ris.listed() == listed


def test_what_nobody_began_leaves_the_worklist_and_is_counted(ris: Ris) -> None:
    assert ris.order("NW", "A", "P1", "F1") == "AA"
    ris.now = NOW + timedelta(days=30)
    assert (ris.listed(), ris.store.worklist.overdue()) == ([("A", "HEAD")], 0)
    ris.now = NOW + timedelta(days=31)
    assert (ris.listed(), ris.store.worklist.overdue()) == ([], 1)
    assert ris.order("XO", "A", "P1", "F1").startswith("AE ORC-1: the day of the examination is too long past")
    assert ris.order("CA", "A", "P1", "F1") == "AA"
    assert ris.store.worklist.overdue() == 0


def test_a_slow_asker_holds_no_transaction_open_and_misses_nothing(ris: Ris, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduled_steps, "_PAGE", 2)
    for number in range(5):
        assert ris.order("NW", f"A{number}", f"P{number}", f"F{number}") == "AA"
    answers = ris.store.worklist.scheduled(None, None)
    found = [text_of(next(answers), "PatientID")]
    assert ris.store.database.engine.pool.checkedout() == 0
    assert sorted(found + [text_of(item, "PatientID") for item in answers]) == [f"A{number}" for number in range(5)]
