"""In-memory ports of the report flows: real enough to keep what they were given, and to refuse when told to."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dicom_nodes.contract import FactBody, Order, OrderBatch, OrderCompleted, ReturnReport
from dicom_nodes.flows.return_ports import ReturnedAnswer, ReturnPlace, Standing
from dicom_nodes.foundation.jobs import Job, JobState
from dicom_nodes.model.delivery import OutgoingInstance, StoreResult
from dicom_nodes.model.errors import PeerFailed
from dicom_nodes.model.report import (
    AckCode,
    Acknowledgement,
    IncomingReport,
    OutgoingReport,
    RefusedReport,
    ReportChannel,
)
from dicom_nodes.model.study import StudyRecord
from dicom_nodes.rules.report_order import Filed


@dataclass
class MemoryReportStore:
    """Keeps reports by id; raises `failure` instead while it is set."""

    failure: Exception | None = None
    taken: dict[str, IncomingReport] = field(default_factory=dict)
    facts: list[str] = field(default_factory=list)
    refused: dict[str, RefusedReport] = field(default_factory=dict)

    def take(self, report_id: str, report: IncomingReport) -> None:
        if self.failure is not None:
            raise self.failure
        if report_id not in self.taken:
            self.taken[report_id] = report
            self.facts.append(report_id)

    def take_all(self, reports: Sequence[tuple[str, IncomingReport]]) -> None:
        for report_id, report in reports:
            self.take(report_id, report)

    def refuse(self, refusal_id: str, refused: RefusedReport) -> None:
        if self.failure is not None:
            raise self.failure
        self.refused.setdefault(refusal_id, refused)

    def digests(self, channel: ReportChannel, original_reference: str) -> frozenset[str]:
        return frozenset(
            hashlib.sha256(report.original).hexdigest()
            for report in self.taken.values()
            if (report.channel, report.original_reference) == (channel, original_reference)
        )


@dataclass
class MemoryOrderStore:
    """Orders, and what came of them."""

    orders: dict[str, Order]
    acknowledged: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    refused: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    completed: list[tuple[str, tuple[FactBody, ...]]] = field(default_factory=list)
    losses: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    told: dict[str, dict[str, str | None]] = field(default_factory=dict)
    channels: tuple[str, ...] = ("ris", "archive")
    under_way: dict[tuple[str, str], set[int]] = field(default_factory=dict)

    def begun(self, study_instance_uid: str, channel: str) -> int | None:
        return max(self.under_way.get((study_instance_uid, channel), ()), default=None)

    def begin_return(self, study_instance_uid: str, channel: str, version: int) -> bool:
        known = self.under_way.setdefault((study_instance_uid, channel), set())
        was_begun = version in known
        known.add(version)
        return was_begun

    def begin_first(self, places: Collection[ReturnPlace]) -> list[ReturnPlace]:
        return [place for place in places if self.begin_return(place.study_instance_uid, place.channel, 1)]

    def forget_begun(self, study_instance_uid: str, channel: str, version: int) -> None:
        self.under_way.get((study_instance_uid, channel), set()).discard(version)

    standing_for_s = 1.0
    recalls = 0

    def standings(self, places: Collection[ReturnPlace]) -> dict[ReturnPlace, Standing]:
        return {place: self._standing(place) for place in places}

    def _standing(self, place: ReturnPlace) -> Standing:
        of_study = (place.study_instance_uid, place.channel)
        return Standing(place.channel in self.returned(place.order_id), self.filed(*of_study), self.begun(*of_study))

    def record_all(self, answers: Sequence[ReturnedAnswer]) -> list[bool | Exception]:
        return [
            self.record_returned(one.order_id, one.channel, one.code, one.reference, one.losses, one.job)
            for one in answers
        ]

    def position(self) -> tuple[str | None, int]:
        return None, 0

    def accept(self, batch: OrderBatch) -> None:
        self.orders.update({order.order_id: order for order in batch.orders})

    def kept_orders(self, order_ids: Collection[str]) -> dict[str, Order]:
        return {order_id: self.orders[order_id] for order_id in order_ids if order_id in self.orders}

    def order(self, order_id: str) -> Order:
        return self.orders[order_id]

    def delivered(self, order_id: str) -> dict[str, str]:
        return {}

    def record_delivered(self, order_id: str, sop_instance_uid: str, digest: str, status: int) -> None:
        raise AssertionError("a report's return delivers no instances")

    def returned(self, order_id: str) -> frozenset[str]:
        return frozenset(self.acknowledged.get(order_id, {}))

    def record_returned(
        self,
        order_id: str,
        channel: str,
        code: str,
        reference: str,
        losses: Sequence[str] = (),
        job: Job | None = None,
    ) -> bool:
        self.acknowledged.setdefault(order_id, {}).setdefault(channel, (code, reference))
        self.losses.setdefault(order_id, {})[channel] = tuple(losses)
        return job is not None and self.finish_return(job)

    def finish_return(self, job: Job) -> bool:
        order_id = job.key.partition("/")[0]
        channels = self.returned(order_id)
        is_last = set(self.channels) <= channels and order_id not in dict(self.completed)
        if is_last:
            done = OrderCompleted.model_validate({"order_id": order_id, "channels": tuple(sorted(channels))})
            self.completed.append((order_id, (done,)))
        return is_last

    def filed(self, study_instance_uid: str, channel: str) -> Filed | None:
        bodies = [self.orders[order_id].body for order_id, done in self.acknowledged.items() if channel in done]
        filed: Filed | None = None
        for body in bodies:
            if isinstance(body, ReturnReport) and body.study.study_instance_uid == study_instance_uid:
                now = Filed(body.version, body.status)
                filed = now if filed is None else filed.and_also(now.version, now.status)
        return filed

    def record_refused(self, order_id: str, channel: str, code: str, words: str, told: str | None = None) -> None:
        self.refused.setdefault(order_id, {})[channel] = (code, words)
        self.told.setdefault(order_id, {})[channel] = told

    def complete(self, job: Job, *facts: FactBody) -> None:
        self.completed.append((job.key, facts))


@dataclass
class MemoryCatalogue:
    """Studies by UID; only for these is asked by the report flows."""

    studies: dict[str, StudyRecord]

    def study(self, study_instance_uid: str, *, with_instances: bool = True) -> StudyRecord | None:
        return self.studies.get(study_instance_uid)

    def study_records(self, study_instance_uids: Collection[str]) -> dict[str, StudyRecord]:
        return {uid: self.studies[uid] for uid in study_instance_uids if uid in self.studies}


@dataclass
class MemoryRis:
    """Remembers reports and answers `answer`, or raises `failure` while it is set."""

    answer: Acknowledgement = field(default_factory=lambda: Acknowledgement(AckCode.AA, "CONTROL-1"))
    failure: PeerFailed | None = None
    received: list[OutgoingReport] = field(default_factory=list)

    def send(self, report: OutgoingReport) -> Acknowledgement:
        if self.failure is not None:
            raise self.failure
        self.received.append(report)
        return self.answer


@dataclass
class MemoryArchive:
    """Keeps instances by UID and answers `status`, or raises `failure` while it is set."""

    status: int | None = 0
    comment: str = ""
    failure: PeerFailed | None = None
    kept: dict[str, bytes] = field(default_factory=dict)
    name: str = "PACS of the test"

    def store(self, instances: Sequence[OutgoingInstance]) -> Iterator[StoreResult]:
        if self.failure is not None:
            raise self.failure
        for instance in instances:
            self.kept[instance.sop_instance_uid] = instance.read_data_set()
            yield StoreResult(instance.sop_instance_uid, self.status, self.comment)


def leased_job(key: str) -> Job:
    """A job as its worker holds it; of a report's return `key` is ORDER/CHANNEL."""
    now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    return Job(1, "return", key, "ris", {}, JobState.RUNNING, 1, now, "token", now, None)
