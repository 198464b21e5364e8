"""`readacross bench neighbours`: how fast others store while somebody does harm, against the same without."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from readacross.bench.contestants import CALLING, Contestant, Sample, Surroundings
from readacross.bench.fast_sender import FastSender, Task
from readacross.bench.figures import Run, grouped, latency_figures, median_of, median_ratio
from readacross.bench.hostile_callers import HostileCallers
from readacross.bench.process_cost import PeakMemory
from readacross.bench.results import Result
from readacross.bench.store_bench import Tell
from readacross.bench.tables import Table, mark, number, times
from readacross.bench.wire import AssociationEnded
from readacross.demo.children import ChildDied

NOBODY = "nobody"
_PLACES = 300
_AT_LEAST = 0.8
_COLUMNS = ("contestant", "who does harm", "inst/s", "of undisturbed", "goal", "p50 ms", "p95 ms", "RSS MiB")


@dataclass(frozen=True, slots=True)
class NeighboursPlan:
    """`instances` in all over `associations`, beside each kind of hostile callers in turn."""

    kind: str
    callers: Sequence[str]
    associations: int
    instances: int
    rounds: int


class NeighboursBench:
    """In each round each kind of harm stands between two undisturbed measurements, of which the next has the one."""

    def __init__(
        self, plan: NeighboursPlan, contestants: Sequence[Contestant], folder: Path, result: Result, tell: Tell
    ) -> None:
        self._plan, self._contestants, self._folder = plan, contestants, folder
        self._result, self._tell = result, tell

    def run(self) -> None:
        for round_number in range(1, self._plan.rounds + 1):
            for place, contestant in enumerate(self._contestants):
                folder = self._folder / f"{round_number}-{place}"
                folder.mkdir()
                contestant.start(Surroundings(folder, maximum_associations=_PLACES))
                try:
                    for harm in self._plan.callers:
                        for who in (NOBODY, harm):
                            self._measure(contestant, who, harm, round_number)
                finally:
                    contestant.stop()

    def _measure(self, contestant: Contestant, who: str, beside: str, round_number: int) -> None:
        plan = self._plan
        seed = f"{self._result.started_at} {round_number} {beside} {who} {os.getpid()}"
        task = Task("127.0.0.1", contestant.port, contestant.ae_title, CALLING, plan.kind, seed,
                    plan.associations, plan.instances)  # fmt: skip
        try:
            if who == NOBODY:
                run = self._stored(contestant, task)
            else:
                with HostileCallers(who, contestant.port, contestant.ae_title, CALLING):
                    run = self._stored(contestant, task)
        except (AssociationEnded, ChildDied, OSError) as error:
            run = {"ok": False, "failure": f"{type(error).__name__}: {error}"}
        run |= {"contestant": contestant.name, "harm": who, "beside": beside, "round": round_number}
        self._result.runs.append(run)
        figure = f"{run['instances_s']:.0f} instances/s" if run["ok"] else f"FAILED: {run['failure']}"
        self._tell(f"round {round_number} {contestant.name:24} {beside:10} {who:10} {figure}")

    def _stored(self, contestant: Contestant, task: Task) -> Run:
        with PeakMemory(contestant.session) as memory, FastSender(task) as sender:
            sent = sender.wait_until_ready().send()
        if sent.failures or sent.statuses.get("0000", 0) != task.instances:
            return {"ok": False, "failure": f"{sent.statuses} of {task.instances}, {sent.failures[:1]}"}
        sample = Sample(task.studies, 2)
        fault = sample.fault_in(contestant.stored(sample))
        return {
            "ok": fault is None,
            "failure": fault,
            "instances_s": len(sent.latencies_s) / (sent.ended_s - sent.started_s),
            "peak_rss_mib": memory.resident_bytes / (1 << 20),
            **latency_figures(sent.latencies_s),
        }


def neighbours_tables(result: Result) -> list[Table]:
    """One row for each contestant and kind of harm."""
    rows: list[Sequence[str] | None] = []
    for (name, beside), cell in grouped(result.runs, "contestant", "beside").items():
        by_harm = grouped(cell, "harm")
        runs = by_harm.get((beside,), [])
        share = median_ratio(runs, by_harm.get((NOBODY,), []), "instances_s")
        rows.append(
            [
                name,
                beside,
                number(median_of(runs, "instances_s")) if any(run["ok"] for run in runs) else "FAILED",
                times(share),
                "" if share is None else f"{mark(share >= _AT_LEAST)} ≥{_AT_LEAST:g}×",
                *(number(median_of(runs, f"p{percent}_ms"), 1) for percent in (50, 95)),
                number(median_of(runs, "peak_rss_mib")),
            ]
        )
    title = f"{result.options.get('associations')} associations store beside callers that mean harm, median of rounds"
    return [Table(title, _COLUMNS, rows, left=2)]
