"""C-GET and C-MOVE sub-operations: counters, outcomes, cancel; the association and the destination are fakes."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dicom_nodes.config import NodeSettings, Peer
from dicom_nodes.dimse.get_scp import get
from dicom_nodes.dimse.identifier import encode_identifier
from dicom_nodes.dimse.messages import (
    GetRequest,
    MoveOriginator,
    MoveRequest,
    PresentationContext,
    Response,
    StoreRequest,
)
from dicom_nodes.dimse.move_scp import move
from dicom_nodes.dimse.services import Caller, DimseServices
from dicom_nodes.dimse.sop_classes import STUDY_ROOT_GET, STUDY_ROOT_MOVE
from dicom_nodes.flows.query import QueryFlow
from dicom_nodes.flows.retrieve import RetrieveFlow
from dicom_nodes.model.delivery import ApplicationEntity, OutgoingInstance, StoreResult
from dicom_nodes.model.errors import MoveDestinationUnknown, PeerUnavailable
from dicom_nodes.model.instance import StoredObject
from dicom_nodes.model.query import QueryLevel
from dicom_nodes.rules.query_identifier import CheckedQuery, RetrieveSelection
from tests.integration.dimse.node import EventRecord

CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
CALLER = Caller(Peer(ae_title="HOME", role="workstation", allowed_hosts=("127.0.0.1",), may=("get", "move")), "a1")
IDENTIFIER = encode_identifier(QueryLevel.STUDY, {"StudyInstanceUID": "1.2"}, EXPLICIT)
GET = GetRequest(PresentationContext(1, STUDY_ROOT_GET, EXPLICIT), 7, STUDY_ROOT_GET, IDENTIFIER)


def move_to(destination: str) -> MoveRequest:
    context = PresentationContext(1, STUDY_ROOT_MOVE, EXPLICIT)
    return MoveRequest(context, 7, STUDY_ROOT_MOVE, IDENTIFIER, destination)


@dataclass
class Holdings:
    """A catalogue and a spool of `count` instances."""

    count: int

    def find(self, query: CheckedQuery) -> Iterator[dict[str, str]]:
        return iter(())

    def select(self, selection: RetrieveSelection) -> Sequence[StoredObject]:
        uids = [f"1.2.3.{number}" for number in range(self.count)]
        return [StoredObject(uid, CT, "1.2", "1.2.3", EXPLICIT, "", 4, "RXN", uid) for uid in uids]

    def read_data_set(self, location: str) -> bytes:
        return b"data"


@dataclass
class FakeExchange:
    """Answers sub-operations with `statuses`; a cancel is seen once `cancel_after` of them were sent."""

    statuses: list[int] = field(default_factory=list)
    cancel_after: int = 1000
    sent: list[str] = field(default_factory=list)
    contexts: tuple[PresentationContext, ...] = (PresentationContext(3, CT, EXPLICIT),)

    window: int = 1
    outstanding: list[int] = field(default_factory=list)
    answered: int = 0
    most_outstanding: int = 0

    def send_store(self, request: StoreRequest) -> None:
        self.sent.append(request.sop_instance_uid)
        self.outstanding.append(request.message_id)
        self.most_outstanding = max(self.most_outstanding, len(self.outstanding))

    def has_answer(self) -> bool:
        return False

    def next_answer(self) -> tuple[int | None, Response]:
        self.answered += 1
        return self.outstanding.pop(0), Response(self.statuses[self.answered - 1] if self.statuses else 0)

    def is_cancelled(self, message_id: int) -> bool:
        assert message_id == 7
        return len(self.sent) >= self.cancel_after


@dataclass
class FakeMoveScu:
    exchange: FakeExchange
    fail_after: int = 1000
    originator: MoveOriginator | None = None

    def send(
        self, to: ApplicationEntity, instances: Sequence[OutgoingInstance], *, originator: Any = None, is_cancelled: Any
    ) -> Iterator[StoreResult]:
        self.originator = originator
        for number, instance in enumerate(instances):
            if number == self.fail_after:
                raise PeerUnavailable("STATION went away")
            if is_cancelled():
                return
            self.exchange.sent.append(instance.sop_instance_uid)
            yield StoreResult(instance.sop_instance_uid, 0)


class NoLog:
    def info(self, event: str, **fields: object) -> None: ...

    warning = error = info


def services(tmp_path: Path, count: int, move_scu: FakeMoveScu | None = None) -> DimseServices:
    settings = NodeSettings.model_validate(
        {
            "trust": {"ods_code": "RXN", "name": "Exampleshire"},
            "node": {"ae_title": "NODE", "listen": "127.0.0.1:0", "data_dir": tmp_path / "data"},
            "router": {"url": "http://127.0.0.1:1", "token_file": tmp_path / "token"},
            "archive": {"kind": "embedded", "directory": tmp_path / "archive"},
            "peers": [{"ae_title": "STATION", "role": "workstation", "address": "127.0.0.1:104"}],
        }
    )
    holdings = Holdings(count)
    return DimseServices(
        settings=settings,
        ingest=lambda _incoming: None,
        query=QueryFlow(holdings),
        retrieve=RetrieveFlow(holdings, holdings),
        move_scu=move_scu or FakeMoveScu(FakeExchange()),
        clock=lambda: datetime.now(UTC),
        log=NoLog(),
        uid_hash=lambda uid: uid,
    )


def counters(response: Response) -> tuple[int, int, int, int]:
    counted = response.sub_operations
    assert counted is not None
    return counted.remaining, counted.completed, counted.failed, counted.warning


def test_get_reports_progress_after_each_instance_and_ends_in_success(tmp_path: Path) -> None:
    responses = list(get(GET, CALLER, services(tmp_path, 3), FakeExchange()))

    assert [response.status for response in responses] == [0xFF00, 0xFF00, 0]
    assert [counters(response) for response in responses] == [(2, 1, 0, 0), (1, 2, 0, 0), (0, 3, 0, 0)]


@pytest.mark.parametrize(
    ("statuses", "outcome", "counted"),
    [
        ([0, 0xA700, 0], 0xB000, (0, 2, 1, 0)),
        ([0, 0xB000, 0], 0xB000, (0, 2, 0, 1)),
        ([0xA700, 0xC000, 0x0122], 0xA702, (0, 0, 3, 0)),
    ],
)
def test_get_ends_incomplete_or_failed_by_what_the_receiver_answered(
    tmp_path: Path, statuses: list[int], outcome: int, counted: tuple[int, int, int, int]
) -> None:
    *_, last = get(GET, CALLER, services(tmp_path, 3), FakeExchange(statuses))

    assert (last.status, counters(last)) == (outcome, counted)


def test_failed_instances_are_named_at_the_end(tmp_path: Path) -> None:
    *_, last = get(GET, CALLER, services(tmp_path, 3), FakeExchange([0, 0xA700, 0xA700]))

    assert last.identifier is not None
    assert b"1.2.3.1\\1.2.3.2" in last.identifier


def test_get_without_a_fitting_context_fails_that_instance_only_by_name(tmp_path: Path) -> None:
    exchange = FakeExchange(contexts=(PresentationContext(3, CT, "1.2.840.10008.1.2.4.50"),))

    *_, last = get(GET, CALLER, services(tmp_path, 1), exchange)

    assert (last.status, exchange.sent) == (0xA702, [])


def test_get_stops_before_the_next_instance_when_cancelled(tmp_path: Path) -> None:
    exchange = FakeExchange(cancel_after=2)

    *_, last = get(GET, CALLER, services(tmp_path, 5), exchange)

    assert (last.status, counters(last)) == (0xFE00, (3, 2, 0, 0))
    assert len(exchange.sent) == 2


def test_get_has_as_many_outstanding_as_the_association_allows_and_counts_each_answer(tmp_path: Path) -> None:
    exchange = FakeExchange([0, 0xA700, 0, 0, 0], window=3)

    *_, last = get(GET, CALLER, services(tmp_path, 5), exchange)

    assert exchange.most_outstanding == 3
    assert (last.status, counters(last)) == (0xB000, (0, 4, 1, 0))
    assert last.identifier is not None
    assert b"1.2.3.1" in last.identifier


def test_cancelled_get_counts_the_answers_that_were_due(tmp_path: Path) -> None:
    exchange = FakeExchange(cancel_after=2, window=4)

    *_, last = get(GET, CALLER, services(tmp_path, 5), exchange)

    assert (last.status, counters(last)) == (0xFE00, (3, 2, 0, 0))


def test_cancel_takes_effect_while_an_instance_is_being_read(tmp_path: Path) -> None:
    reading, go_on = threading.Event(), threading.Event()

    class Slow(Holdings):
        def read_data_set(self, location: str) -> bytes:
            reading.set()
            go_on.wait(10)
            return b"data"

    class Cancelled(FakeExchange):
        def is_cancelled(self, message_id: int) -> bool:
            return reading.is_set()

    holdings, exchange = Slow(3), Cancelled()
    node = replace(services(tmp_path, 3), retrieve=RetrieveFlow(holdings, holdings))

    *_, last = get(GET, CALLER, node, exchange)
    go_on.set()

    assert (last.status, counters(last), exchange.sent) == (0xFE00, (3, 0, 0, 0), [])


def test_move_stops_before_the_next_instance_when_cancelled(tmp_path: Path) -> None:
    exchange = FakeExchange(cancel_after=2)

    *_, last = move(move_to("STATION"), CALLER, services(tmp_path, 5, FakeMoveScu(exchange)), exchange)

    assert (last.status, counters(last)) == (0xFE00, (3, 2, 0, 0))


def test_move_names_its_originator(tmp_path: Path) -> None:
    scu = FakeMoveScu(FakeExchange())

    list(move(move_to("STATION"), CALLER, services(tmp_path, 1, scu), FakeExchange()))

    assert scu.originator == MoveOriginator("HOME", 7)


def test_move_counts_the_rest_as_failed_when_the_destination_goes_away(tmp_path: Path) -> None:
    scu = FakeMoveScu(FakeExchange(), fail_after=2)

    *_, last = move(move_to("STATION"), CALLER, services(tmp_path, 5, scu), FakeExchange())

    assert (last.status, counters(last)) == (0xB000, (0, 2, 3, 0))


def test_move_to_an_unlisted_destination_sends_nothing(tmp_path: Path) -> None:
    scu = FakeMoveScu(FakeExchange())

    with pytest.raises(MoveDestinationUnknown):
        list(move(move_to("ELSEWHERE"), CALLER, services(tmp_path, 1, scu), FakeExchange()))

    assert scu.exchange.sent == []


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (StoreResult("1.2.3.0", 0xC000, "cannot file MARKED^PATIENT"), "the destination answered C000"),
        (StoreResult("1.2.3.0", 0xB000, "MARKED^PATIENT coerced"), "the destination answered B000"),
        (StoreResult("1.2.3.0", None, "no answer in time"), "no answer in time"),
    ],
)
def test_move_logs_the_destinations_status_and_never_its_words(tmp_path: Path, result: StoreResult, why: str) -> None:
    log = EventRecord()

    class Refusing(FakeMoveScu):
        def send(self, to: ApplicationEntity, instances: Any, **_: Any) -> Iterator[StoreResult]:
            yield result

    node = replace(services(tmp_path, 1, Refusing(FakeExchange())), log=log)
    list(move(move_to("STATION"), CALLER, node, FakeExchange()))

    assert [event["why"] for event in log.named("move.sub_operation_failed")] == [why]
