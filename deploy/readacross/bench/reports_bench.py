"""`readacross bench reports`: how fast reports go from the readers' systems to the origin's RIS, and what it costs.

A router, the origin's node and the reading node as processes; every study was sent in by DICOM, given to a reader and
its images brought to the workstation before the first report leaves, because a report of images that nobody had does
not count (ADR 070).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from time import process_time

from dicom_nodes.foundation.nhs_number import is_nhs_number
from dicom_nodes.model.delivery import ApplicationEntity
from readacross.bench.figures import Run, percentile
from readacross.bench.own_postgresql import own_postgresql
from readacross.bench.process_cost import PeakMemory, cpu_time
from readacross.bench.report_region import READER_NAME, ReportRegion, readers_for
from readacross.bench.report_traffic import Arrival, NotingRis, ReportSenders, Sending, mark
from readacross.bench.results import Result
from readacross.bench.store_bench import Tell
from readacross.demo.children import ChildDied
from readacross.demo.images import MadeStudy, synthetic_study
from readacross.demo.modality import SendFailed, send
from readacross.demo.patients import invented_patient
from readacross.demo.region import MODALITY, ORIGIN
from readacross.demo.report_messages import Signed, as_oru
from readacross.refusals import RouterSaidNo
from router.model.read import ReadState
from router.web.messages import ReadView

_AT_ONCE = 1000
"""How many reads the API lists at once."""
_UNFINISHED = [state.value for state in ReadState if state is not ReadState.CLOSED]
_WITHOUT_PROGRESS_S = 60.0
_LOOK_EVERY_S = 0.1
_OWN = "senders and RIS"
"""What runs in the bench's own process."""


class NotMeasured(Exception):
    """The measurement did not come to its end, or what arrived is not what was sent."""


@dataclass(frozen=True, slots=True)
class ReportsPlan:
    """`reports` of as many studies over `connections`; `database_url` None: SQLite, "own": a server for this."""

    reports: int
    connections: int
    rounds: int
    database_url: str | None
    replicas: int

    @property
    def contestant(self) -> str:
        database = "SQLite" if self.database_url is None else "PostgreSQL"
        return f"{self.replicas} router{'s' if self.replicas > 1 else ''}, {database}"


class ReportsBench:
    """Each round has a region of its own; on PostgreSQL it goes on in the same database."""

    def __init__(self, plan: ReportsPlan, folder: Path, result: Result, tell: Tell) -> None:
        self._plan, self._folder, self._result, self._tell = plan, folder, result, tell

    def run(self) -> None:
        with ExitStack() as stack:
            if self._plan.database_url == "own":
                url, _ = stack.enter_context(own_postgresql(self._folder / "postgresql"))
                self._plan = replace(self._plan, database_url=url)
            self._rounds()

    def _rounds(self) -> None:
        for number in range(1, self._plan.rounds + 1):
            about = {"contestant": self._plan.contestant, "round": number}
            folder = self._folder / str(number)
            folder.mkdir()
            try:
                run = self._round(folder, number)
            except (NotMeasured, ChildDied, SendFailed, RouterSaidNo, OSError) as error:
                run = {"ok": False, "failure": f"{type(error).__name__}: {error}"}
            self._result.runs.append(run | about)
            figure = f"{run['reports_s']:.0f} reports/s" if run["ok"] else f"FAILED: {run['failure']}"
            self._tell(f"round {number} {self._plan.contestant} {figure}")

    def _round(self, folder: Path, number: int) -> Run:
        plan = self._plan
        studies = _studies(folder / "sent", number * 100_000, plan.reports)
        readers = readers_for(plan.reports)
        with (
            NotingRis() as ris,
            ReportRegion(folder, readers, ris.address, plan.database_url, plan.replicas) as region,
        ):
            holders = _Reads(region, {study.study_instance_uid for study in studies})
            self._prepare(region, studies, holders)
            registrations = {reader.id: reader.registration for reader in readers}
            messages = _messages(studies, holders.held_by(), registrations)
            return self._measured(region, ris, studies, messages, holders)

    def _prepare(self, region: ReportRegion, studies: Sequence[MadeStudy], reads: "_Reads") -> None:
        node = region.origin
        to = ApplicationEntity(node.ae_title, "127.0.0.1", node.dicom_port)
        send([file for study in studies for file in study.files], MODALITY, to)
        self._tell(f"{len(studies)} studies are sent; their images are on their way to the workstation")
        _await(region, lambda: sum(read.images_delivered_at is not None for read in reads.look()), len(studies),
               "reads with images on the workstation", 0.5)  # fmt: skip
        time.sleep(1.1)  # ADR 070 compares in whole seconds: no report may be written in the second of the delivery

    def _measured(
        self,
        region: ReportRegion,
        ris: NotingRis,
        studies: Sequence[MadeStudy],
        messages: Sequence[bytes],
        reads: "_Reads",
    ) -> Run:
        self._tell("every image is on the workstation; the reports go")
        before, own_before_s = {name: cpu_time(session) for name, session in region.sessions.items()}, process_time()
        with ExitStack() as stack:
            peaks = {name: stack.enter_context(PeakMemory(session)) for name, session in region.sessions.items()}
            sending = ReportSenders(messages, region.reading.hl7_port, self._plan.connections).start().wait()
            if sending.failures:
                raise NotMeasured(f"{len(sending.failures)} failed, such as: {sending.failures[0]}")
            _await(region, lambda: len(ris.arrivals), len(messages), "reports at the RIS", _LOOK_EVERY_S)
            _await(region, reads.closed, len(messages), "reads closed", 1.0)
            closed_s, own_s = time.monotonic(), process_time() - own_before_s
        arrivals = _checked(list(ris.arrivals), studies)
        figures = _figures(sending, arrivals, closed_s)
        for name, session in region.sessions.items():
            figures[f"cpu_s {name}"] = round((cpu_time(session) - before[name]).total_s, 2)
            figures[f"peak_rss_mib {name}"] = round(peaks[name].resident_bytes / (1 << 20), 1)
        figures[f"cpu_s {_OWN}"] = round(own_s, 2)
        return {"ok": True, "failure": None, "processes": [*region.sessions, _OWN], **figures}


class _Reads:
    """The measurement's reads as the router shows them; on PostgreSQL others may be there from earlier rounds."""

    def __init__(self, region: ReportRegion, uids: set[str]) -> None:
        self._admin, self._uids = region.admin, uids
        self._seen: dict[str, ReadView] = {}

    def look(self) -> list[ReadView]:
        """All of them, as far as the router knows them."""
        found: list[ReadView] = []
        after: str | None = None
        while page := self._admin.reads_after(after, _AT_ONCE):
            found += [read for read in page if read.study_instance_uid in self._uids]
            after = page[-1].id
        self._seen = {read.study_instance_uid: read for read in found}
        return found

    def held_by(self) -> dict[str, str]:
        """Study Instance UID → reader who holds its read."""
        return {uid: read.lease.reader_id for uid, read in self._seen.items() if read.lease is not None}

    def closed(self) -> int:
        """As few reads as possible are asked for, because the router's work for that is part of what is measured."""
        page = self._admin.reads(*_UNFINISHED)
        return 0 if len(page) >= _AT_ONCE else len(self._uids) - len({read.study_instance_uid for read in page})


def _await(region: ReportRegion, reached: Callable[[], int], wanted: int, what: str, every_s: float) -> None:
    """Raises NotMeasured when nothing has come for a minute."""
    seen, moved_s = -1, time.monotonic()
    while (now := reached()) < wanted:
        region.check()
        if now != seen:
            seen, moved_s = now, time.monotonic()
        if time.monotonic() - moved_s > _WITHOUT_PROGRESS_S:
            asked = "; ".join(sorted({f"{item.kind}: {item.reason}" for item in region.admin.human_queue()})[:3])
            raise NotMeasured(f"{seen} of {wanted} {what}, and no more for a minute; the human queue says: {asked}")
        time.sleep(every_s)


def _studies(folder: Path, first: int, wanted: int) -> list[MadeStudy]:
    """One image each, of as many people."""
    made = []
    for serial, nhs_number in zip(range(first, first + wanted), _nhs_numbers(first), strict=False):
        patient = replace(invented_patient(serial % 9), patient_id=str(4_000_000 + serial), nhs_number=nhs_number)
        made.append(synthetic_study(folder, "CR", origin=ORIGIN, serial=serial, slices=1, patient=patient))
    return made


def _nhs_numbers(first: int) -> Iterator[str]:
    """Numbers of the test range 999…, from the `first` nine digits on."""
    for candidate in count(first):
        digits = f"999{candidate:06d}"
        yield from (f"{digits}{check}" for check in range(10) if is_nhs_number(f"{digits}{check}"))


def _messages(studies: Sequence[MadeStudy], held_by: dict[str, str], registrations: dict[str, str]) -> list[bytes]:
    """One final report a study, by whoever holds its read."""
    at = datetime.now(UTC)
    made = []
    for number, study in enumerate(studies):
        registration = registrations[held_by[study.study_instance_uid]]
        text = f"{mark(number)}\n\nHeart size normal (CTR < 50 %). Lungs clear & no effusion.\nEnd of report."
        made.append(as_oru(Signed(study, ORIGIN, text, registration, READER_NAME, at), f"BENCH{number:06d}"))
    return made


def _checked(arrivals: list[Arrival], studies: Sequence[MadeStudy]) -> dict[int, float]:
    """Report's number → when it was at the RIS.

    Raises:
        NotMeasured: not each exactly once and under its own accession number.
    """
    at: dict[int, float] = {}
    for arrival in arrivals:
        number = arrival.number
        if number is None or number >= len(studies):
            raise NotMeasured("the RIS was sent something that is none of the reports")
        if number in at:
            raise NotMeasured(f"report {number} came to the RIS twice")
        if f"|{studies[number].accession_number}^".encode() not in arrival.message:
            raise NotMeasured(f"report {number} came to the RIS without its study's accession number")
        at[number] = arrival.at_s
    if len(at) != len(studies):
        raise NotMeasured(f"{len(at)} of {len(studies)} reports came to the RIS")
    return at


def _figures(sending: Sending, arrived_s: dict[int, float], closed_s: float) -> Run:
    began = min(sending.sent_s.values())
    reports, home_s = len(arrived_s), [arrived_s[number] - sending.sent_s[number] for number in arrived_s]
    answered_s = [at - sending.sent_s[number] for number, at in sending.acknowledged_s.items()]
    return {
        "reports": reports,
        "taken_s": round(reports / (max(sending.acknowledged_s.values()) - began), 1),
        "reports_s": round(reports / (max(arrived_s.values()) - began), 1),
        "closed_s": round(reports / (closed_s - began), 1),
        "taken_p95_ms": round(1000 * percentile(answered_s, 95), 1),
        "home_p50_s": round(percentile(home_s, 50), 3),
        "home_p95_s": round(percentile(home_s, 95), 3),
    }
