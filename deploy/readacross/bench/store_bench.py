"""`readacross bench store`: the same images to every contestant, in rounds, each from the same senders."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from readacross.bench import disk_floor, stock_senders
from readacross.bench.contestants import CALLING, Contestant, Sample, Surroundings
from readacross.bench.disk_floor import DiskFloor
from readacross.bench.fast_sender import FastSender, Sent, Task
from readacross.bench.figures import Run, latency_figures
from readacross.bench.process_cost import CpuTime, PeakMemory, cpu_time, cpu_time_when_quiet
from readacross.bench.receiver import Receiver
from readacross.bench.results import Result
from readacross.bench.synthetic import KINDS, Study, studies
from readacross.bench.wire import AssociationEnded
from readacross.demo.children import ChildDied

WINDOW = 8
SENDERS = ("fast", "window", *stock_senders.STOCK)
CEILING = "nothing (ceiling)"
_COMPARED = 32
_LARGE_BYTES = 4 << 20
"""Images larger than this come over one association only."""
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class StorePlan:
    """What is measured. `instances` by kind; every contestant gets the same number."""

    kinds: Sequence[str]
    associations: Sequence[int]
    senders: Sequence[str]
    rounds: int
    instances: Mapping[str, int]
    with_floor: bool = True

    def cells(self) -> Iterator[tuple[str, int]]:
        """(kind, associations); large images come over one association."""
        for kind in self.kinds:
            for associations in self.associations[:1] if KINDS[kind].pixel_bytes > _LARGE_BYTES else self.associations:
                yield kind, associations


class StoreBench:
    """One run of the whole plan; what it measures goes into `result`."""

    def __init__(self, plan: StorePlan, contestants: Sequence[Contestant], folder: Path, result: Result, tell: Tell):
        self._plan, self._contestants, self._folder = plan, contestants, folder
        self._result, self._tell = result, tell
        self._floor = DiskFloor(folder / "floor")
        self._no_window: set[str] = set()
        self._count = 0

    def run(self) -> None:
        """Measure everything, whatever fails; contestants that keep running are started once."""
        steady = [contestant for contestant in self._contestants if contestant.keeps_running]
        try:
            for contestant in steady:
                contestant.start(Surroundings(self._new_folder()))
            for kind, associations in self._plan.cells():
                for number in range(1, self._plan.rounds + 1):
                    self._round(kind, associations, number)
        finally:
            for contestant in steady:
                contestant.stop()

    def _round(self, kind: str, associations: int, number: int) -> None:
        about = {"kind": kind, "associations": associations, "round": number}
        if self._plan.with_floor:
            made = self._studies(kind, associations)
            self._note(self._floor.measure(made) | {"contestant": disk_floor.NAME, "sender": "fast"} | about)
        if number == 1 and "fast" in self._plan.senders:
            self._note(self._ceiling(kind, associations) | {"contestant": CEILING, "sender": "fast"} | about)
        for sender in self._plan.senders:
            for contestant in self._contestants:
                if sender == "window" and contestant.name in self._no_window:
                    continue
                made = self._studies(kind, associations)
                with self._started(contestant) as folder:
                    run = self._measured(contestant, sender, made, folder, with_log=number == 1)
                if run is not None:
                    self._note(run | {"contestant": contestant.name, "sender": sender} | about)

    def _studies(self, kind: str, associations: int) -> list[Study]:
        """New ones each time: a server that has an instance already need not store it."""
        self._count += 1
        return studies(
            KINDS[kind], f"{self._result.started_at} {self._count}", associations, self._plan.instances[kind]
        )

    @contextmanager
    def _started(self, contestant: Contestant) -> Iterator[Path]:
        folder = self._new_folder()
        try:
            if not contestant.keeps_running:
                contestant.start(Surroundings(folder))
            yield folder
        finally:
            if not contestant.keeps_running:
                contestant.stop()
            shutil.rmtree(folder, ignore_errors=True)

    def _new_folder(self) -> Path:
        self._count += 1
        folder = self._folder / f"{self._count:04}"
        folder.mkdir(parents=True)
        return folder

    def _measured(
        self, contestant: Contestant, sender: str, made: list[Study], folder: Path, *, with_log: bool
    ) -> Run | None:
        """One run, verified; None where the peer does not grant what the sender needs."""
        try:
            if sender in stock_senders.STOCK:
                run = measure_stock(contestant, sender, made, folder / "send", with_log=with_log)
            else:
                run = measure_fast(contestant, made, WINDOW if sender == "window" else 1)
            if sender == "window" and run["window"] == 1:
                self._no_window.add(contestant.name)
                return None
            run = _verified(run, contestant, made)
            if contestant.keeps_running:
                contestant.rest()
        except (AssociationEnded, ChildDied, OSError, RuntimeError) as error:
            return {"ok": False, "failure": f"{type(error).__name__}: {error}"}
        return run

    def _ceiling(self, kind: str, associations: int) -> Run:
        receiver = Receiver()
        try:
            made = self._studies(kind, associations)
            with FastSender(_task(made, receiver.port, "NOTHING", 1)) as sender:
                return _figures_of(sender.wait_until_ready().send(), made)
        finally:
            receiver.stop()

    def _note(self, run: Run) -> None:
        self._result.runs.append(run)
        figure = f"{run['mb_s']:7.0f} MB/s" if run["ok"] else f"FAILED: {run['failure']}"
        words = f"{run['kind']} ×{run['associations']} {run['sender']:8} {run['contestant']:24}"
        self._tell(f"round {run['round']} {words} {figure}")


def measure_fast(contestant: Contestant, made: list[Study], window: int) -> Run:
    """Send studies with the fast sender, an association for each."""
    with FastSender(_task(made, contestant.port, contestant.ae_title, window)) as sender:
        sender.wait_until_ready()
        os.sync()
        before = cpu_time(contestant.session)
        with PeakMemory(contestant.session) as memory:
            sent = sender.send()
    return _figures_of(sent, made) | _costs(contestant, made, before, memory)


def measure_stock(contestant: Contestant, name: str, made: list[Study], folder: Path, *, with_log: bool) -> Run:
    """Send studies as files with a program of DCMTK; latencies need its log, which makes it a little slower."""
    folders = stock_senders.write_folders(folder, made)
    os.sync()
    before = cpu_time(contestant.session)
    with PeakMemory(contestant.session) as memory:
        sent = stock_senders.send(name, contestant.ae_title, contestant.port, folders, folder if with_log else None)
    size_bytes, instances = _amount(made)
    failure = "; ".join(sent.failures) or None
    return {
        "ok": failure is None,
        "failure": failure,
        "elapsed_s": sent.elapsed_s,
        "mb_s": size_bytes / sent.elapsed_s / 1e6,
        "instances_s": instances / sent.elapsed_s,
        **latency_figures(sent.latencies_s),
    } | _costs(contestant, made, before, memory)


def _figures_of(sent: Sent, made: Sequence[Study]) -> Run:
    size_bytes, instances = _amount(made)
    elapsed_s = sent.ended_s - sent.started_s
    succeeded = sent.statuses.get("0000", 0)
    problems = list(sent.failures)
    if succeeded != instances:
        problems.append(f"{succeeded} of {instances} answered with success, in all {sent.statuses}")
    return {
        "ok": not problems,
        "failure": "; ".join(problems) or None,
        "elapsed_s": elapsed_s,
        "mb_s": size_bytes / elapsed_s / 1e6,
        "instances_s": instances / elapsed_s,
        "sender_cpu_s_gb": (sent.user_s + sent.system_s) / size_bytes * 1e9,
        "window": sent.window,
        **latency_figures(sent.latencies_s),
    }


def _costs(contestant: Contestant, made: Sequence[Study], before: CpuTime, memory: PeakMemory) -> Run:
    started_s = time.monotonic()
    os.sync()
    sync_after_s = time.monotonic() - started_s
    used, gigabytes = cpu_time_when_quiet(contestant.session) - before, _amount(made)[0] / 1e9
    return {
        "user_s_gb": used.user_s / gigabytes,
        "system_s_gb": used.system_s / gigabytes,
        "sync_after_s": sync_after_s,
        "peak_rss_mib": memory.resident_bytes / (1 << 20),
        "peak_anonymous_mib": memory.anonymous_bytes / (1 << 20),
    }


def _verified(run: Run, contestant: Contestant, made: Sequence[Study]) -> Run:
    """The run, failed if the contestant does not have what it said it took."""
    if not run["ok"]:
        return run
    sample = Sample(made, max(2, _COMPARED // len(made)))
    fault = sample.fault_in(contestant.stored(sample))
    return run if fault is None else run | {"ok": False, "failure": fault}


def _amount(made: Sequence[Study]) -> tuple[int, int]:
    """(bytes, instances)."""
    return sum(study.size_bytes for study in made), sum(study.count for study in made)


def _task(made: Sequence[Study], port: int, called: str, window: int) -> Task:
    study = made[0]
    instances = sum(item.count for item in made)
    return Task("127.0.0.1", port, called, CALLING, study.kind.name, study.seed, len(made), instances, window)
