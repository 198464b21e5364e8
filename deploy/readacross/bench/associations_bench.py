"""`readacross bench associations`: what a store costs a modality while hundreds of associations are open."""

import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from readacross.bench.contestants import CALLING, Contestant, Sample, Surroundings
from readacross.bench.fast_sender import FastSender, Sent, Task
from readacross.bench.figures import Run, latency_figures
from readacross.bench.process_cost import PeakMemory
from readacross.bench.results import Result
from readacross.bench.store_bench import Tell
from readacross.bench.synthetic import Study
from readacross.bench.wire import AssociationEnded
from readacross.demo.children import ChildDied

QUIET, CROWD, RUSH = "one alone", "crowd", "crowd at full speed"


@dataclass(frozen=True, slots=True)
class AssociationsPlan:
    """`instances` for each active association, one every `every_s`; at full speed they do not wait."""

    kind: str
    idle: int
    active: int
    instances: int
    every_s: float
    rounds: int


class AssociationsBench:
    """Measures one association alone, then the crowd, in each round; whatever it measures goes into `result`."""

    def __init__(
        self, plan: AssociationsPlan, contestants: Sequence[Contestant], folder: Path, result: Result, tell: Tell
    ) -> None:
        self._plan, self._contestants, self._folder = plan, contestants, folder
        self._result, self._tell = result, tell
        self._given: list[Study] = []

    def run(self) -> None:
        allow_many_connections(2 * (self._plan.idle + self._plan.active) + 100)
        most = self._plan.idle + self._plan.active + 10
        for number in range(1, self._plan.rounds + 1):
            for place, contestant in enumerate(self._contestants):
                folder = self._folder / f"{number}-{place}"
                folder.mkdir()
                contestant.start(Surroundings(folder, maximum_associations=most))
                try:
                    self._round(contestant, number)
                finally:
                    contestant.stop()

    def _round(self, contestant: Contestant, number: int) -> None:
        self._given = []
        for crowd in (QUIET, CROWD, RUSH):
            run = self._measured(contestant, crowd, f"{self._result.started_at} {number} {crowd}")
            run |= {"contestant": contestant.name, "crowd": crowd, "round": number}
            self._result.runs.append(run)
            figure = f"p95 {run['p95_ms']:.1f} ms" if run["ok"] else f"FAILED: {run['failure']}"
            self._tell(f"round {number} {contestant.name:24} {crowd:20} {figure}")

    def _measured(self, contestant: Contestant, crowd: str, seed: str) -> Run:
        plan = self._plan
        active, idle = (1, 0) if crowd == QUIET else (plan.active, plan.idle)
        task = Task(
            "127.0.0.1",
            contestant.port,
            contestant.ae_title,
            CALLING,
            plan.kind,
            seed,
            active,
            active * plan.instances,
            idle=idle,
            every_s=0.0 if crowd == RUSH else plan.every_s,
        )
        try:
            with PeakMemory(contestant.session) as memory, FastSender(task) as sender:
                sent = sender.wait_until_ready().send()
            return _figures(sent, task, memory) | self._verdict(contestant, task, sent)
        except (AssociationEnded, ChildDied, OSError) as error:
            return {"ok": False, "failure": f"{type(error).__name__}: {error}"}

    def _verdict(self, contestant: Contestant, task: Task, sent: Sent) -> Run:
        """Whether everything was answered with success, and everything given so far is really there."""
        succeeded = sent.statuses.get("0000", 0)
        if sent.failures:
            return {"ok": False, "failure": f"{len(sent.failures)} associations refused or broken: {sent.failures[0]}"}
        if succeeded != task.instances:
            return {"ok": False, "failure": f"{succeeded} of {task.instances} answered with success"}
        self._given += task.studies
        sample = Sample(self._given, 2)
        fault = sample.fault_in(contestant.stored(sample))
        return {"ok": fault is None, "failure": fault}


def _figures(sent: Sent, task: Task, memory: PeakMemory) -> Run:
    elapsed_s = sent.ended_s - sent.started_s
    return {
        "associations": task.associations + task.idle,
        "refused": len(sent.failures),
        "elapsed_s": elapsed_s,
        "instances_s": len(sent.latencies_s) / elapsed_s,
        "peak_rss_mib": memory.resident_bytes / (1 << 20),
        "peak_anonymous_mib": memory.anonymous_bytes / (1 << 20),
        **latency_figures(sent.latencies_s),
    }


def allow_many_connections(needed: int) -> None:
    """Raise this process's limit of open files, which its children inherit, as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
