"""`readacross bench region`: what one router sustains with its planner, ledger and explanations.

A router's own process plans for readers in sessions while studies settle at their nodes at a rate; orders are carried
out and reads are reported at the same rate, so that the number of waiting reads stays as it is.
"""

import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from dicom_nodes.foundation.database import Database, open_database
from readacross.bench.figures import Run, latency_figures
from readacross.bench.own_postgresql import own_postgresql, server_cpu_s
from readacross.bench.process_cost import PeakMemory, cpu_time
from readacross.bench.region_clients import Arrivals, NodeClient, Readers, Seen, in_threads
from readacross.bench.region_filling import Filled, fill_router
from readacross.bench.region_seeds import trusts, write_settings
from readacross.bench.region_studies import StudySource, wall_clock
from readacross.bench.results import CannotMeasure, Result
from readacross.bench.store_bench import Tell
from readacross.demo.children import Child, ChildDied, free_ports
from router.store import planner_rounds
from router.store import tables as t

_READER_THREADS = 8
_FIRST_PLAN_S = 300.0
_SETTLING_S = 15.0
"""How long after the last arrival what is under way may take to come to an end."""
_QUIET_S = 3.0
_SUSTAINED = 0.95
"""Share of what came that must have been taken, and of places that became free that must have been filled."""


@dataclass(frozen=True, slots=True)
class RegionPlan:
    """`rate` are arrivals a second; `postgres` a URL, or "own" for a server of the measurement's own."""

    readers: int
    waiting: int
    trusts: int
    rate: float
    seconds: float
    plan_every_s: float
    replicas: int
    postgres: str | None


class RegionBench:
    """One measurement; whatever it measures goes into `result`."""

    def __init__(self, plan: RegionPlan, folder: Path, result: Result, tell: Tell) -> None:
        self._plan, self._folder, self._result, self._tell = plan, folder, result, tell

    def run(self) -> None:
        with ExitStack() as stack:
            url, server = self._database(stack)
            ports = free_ports(self._plan.replicas)
            files = [self._settings(port, url) for port in ports]
            codes, began = trusts(self._plan.trusts), time.monotonic()
            filled = fill_router(files[0], self._plan.readers, self._plan.waiting, codes)
            self._tell(
                f"{self._plan.waiting:,} reads and {self._plan.readers:,} readers, {time.monotonic() - began:.0f} s"
            )
            with ExitStack() as running:
                routers = [running.enter_context(_running(file, port)) for file, port in zip(files, ports, strict=True)]
                database = open_database(url)
                running.callback(database.dispose)
                run = self._measure(routers, server, database, ports, filled, codes)
            run["rounds"] = _rounds(self._folder)
            self._result.runs.append(run)

    def _database(self, stack: ExitStack) -> tuple[str, int | None]:
        if self._plan.postgres is None:
            return f"sqlite:///{self._folder / 'router.sqlite'}", None
        if self._plan.postgres != "own":
            return self._plan.postgres, None
        return stack.enter_context(own_postgresql(self._folder / "postgresql"))

    def _settings(self, port: int, url: str) -> Path:
        codes = trusts(self._plan.trusts)
        return write_settings(self._folder / f"router-{port}", f"127.0.0.1:{port}", url, codes, self._plan.plan_every_s)

    def _measure(
        self,
        routers: list[Child],
        server: int | None,
        database: Database,
        ports: list[int],
        filled: Filled,
        codes: list[str],
    ) -> Run:
        first_s = self._first_plan(database, routers)
        plan, seen, stopping, arriving = self._plan, Seen(), threading.Event(), threading.Event()
        addresses = [f"127.0.0.1:{port}" for port in ports]
        nodes = [
            NodeClient(addresses[at % len(addresses)], code, filled.nodes[code], seen, stopping)
            for at, code in enumerate(codes)
        ]
        arrivals = Arrivals(nodes, StudySource(codes, 2, plan.waiting + 1), plan.rate, arriving)
        at_nodes = [*(node.send for node in nodes), *(node.poll for node in nodes)]
        with PeakMemory(routers[0].pid) as memory, in_threads(at_nodes, seen, stopping):
            self._bring_first_images(seen, nodes)
            readers = Readers(addresses[0], filled.readers, plan.rate, seen, stopping)
            before, cpu_before = _counts(database), [cpu_time(child.pid).total_s for child in routers]
            server_before = 0.0 if server is None else server_cpu_s(server)
            began_at, began_s = wall_clock(), time.monotonic()
            with (
                in_threads([readers.read] * _READER_THREADS, seen, stopping),
                in_threads([arrivals.run], seen, arriving),
            ):
                self._wait(plan.seconds, arrivals, seen, nodes, stopping)
                ended_s, cpu_after = time.monotonic(), [cpu_time(child.pid).total_s for child in routers]
                server_after = 0.0 if server is None else server_cpu_s(server)
                late = sum(uid not in seen.taken for uid in list(seen.due))
                arriving.set()
                _until(lambda: all(uid in seen.taken for uid in list(seen.due)) or stopping.is_set(), _SETTLING_S)
                _until(lambda: False, 1.0)
        readers.close()
        for node in nodes:
            node.close()
        for child in routers:
            child.check()
        lasted_s, after = ended_s - began_s, _counts(database)
        assigned = _assigned(database, began_at)
        filled_again = _filled_again(seen, assigned)
        taken = sum(at <= ended_s for at in seen.taken.values())
        run: Run = {
            "contestant": database.engine.dialect.name,
            "round": 1,
            "plan": asdict(plan),
            "ok": not seen.failures,
            "failure": "; ".join(seen.failures),
            "first_plan_s": round(first_s, 1),
            "arrivals": arrivals.sent,
            "taken_s": round(taken / lasted_s, 2),
            "late": late,
            "assigned_s": round(len(assigned) / lasted_s, 2),
            "visits_s": round(seen.visits / lasted_s, 2),
            "empty_visits": seen.empty_visits,
            "reported_s": round(sum(at <= ended_s for freed in seen.freed.values() for at in freed) / lasted_s, 2),
            "waiting_before": before,
            "waiting_after": after,
            "router_cpu": [round((b - a) / lasted_s, 3) for a, b in zip(cpu_before, cpu_after, strict=True)],
            "database_cpu": round((server_after - server_before) / lasted_s, 3),
            "peak_rss_mib": round(memory.resident_bytes / (1 << 20)),
            "requests": latency_figures(seen.requests_s),
            "taking": latency_figures([at - seen.due[uid] for uid, at in seen.taken.items()]),
            "ordering": latency_figures([at - seen.due[uid] for uid, at in seen.ordered.items() if uid in seen.due]),
            "acute": latency_figures([at - seen.due[uid] for uid, at in seen.ordered.items() if uid in seen.acute]),
            "refilling": latency_figures(filled_again),
            "rounds": [],
        }
        run["sustained"] = run["ok"] and late <= 2 * plan.rate and run["taken_s"] >= _SUSTAINED * plan.rate
        run["sustained"] = run["sustained"] and run["reported_s"] >= _SUSTAINED * plan.rate
        return run

    def _first_plan(self, database: Database, routers: list[Child]) -> float:
        """Until every reader has a list: the round that nobody measures."""
        began = time.monotonic()

        def planned() -> bool:
            for child in routers:
                child.check()
            with database.read() as connection:
                return planner_rounds.last(connection) is not None

        if not _until(planned, _FIRST_PLAN_S):
            raise CannotMeasure(f"no planner's round ended within {_FIRST_PLAN_S:g} s")
        self._tell(f"the first plan took {time.monotonic() - began:.1f} s")
        return time.monotonic() - began

    def _bring_first_images(self, seen: Seen, nodes: list[NodeClient]) -> None:
        """The orders of the first plan, which nobody measures: until none came for a while."""
        known, quiet_since, end = -1, time.monotonic(), time.monotonic() + _FIRST_PLAN_S
        while time.monotonic() - quiet_since < _QUIET_S and time.monotonic() < end:
            if seen.orders != known or any(node.waiting for node in nodes):
                known, quiet_since = seen.orders, time.monotonic()
            time.sleep(0.1)
        self._tell(f"the first plan's {known:,} orders are carried out")
        seen.requests_s.clear()

    def _wait(
        self, seconds: float, arrivals: Arrivals, seen: Seen, nodes: list[NodeClient], stopping: threading.Event
    ) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not stopping.is_set():
            stopping.wait(min(5.0, max(0.0, end - time.monotonic())))
            outboxes = sum(node.waiting for node in nodes)
            self._tell(f"{arrivals.sent:,} arrived, {len(seen.taken):,} taken, {outboxes:,} facts wait at nodes")


@contextmanager
def _running(router_file: Path, port: int) -> Iterator[Child]:
    command = [str(Path(sys.executable).with_name("readacross")), "router", str(router_file)]
    child = Child(f"router {port}", command, router_file.with_name("router.log"))
    try:
        yield child.wait_for_port(port)
    except ChildDied as error:
        raise CannotMeasure(str(error)) from None
    finally:
        child.stop()


def _until(met: Any, longest_s: float) -> bool:
    end = time.monotonic() + longest_s
    while not met():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _counts(database: Database) -> int:
    with database.read() as connection:
        query = select(func.count()).where(t.read.c.state == "READY")
        return int(connection.execute(query).scalar_one())


def _assigned(database: Database, since: datetime) -> dict[str, str]:
    """Read id → reader id of what was given out since."""
    a = t.assignment
    with database.read() as connection:
        rows = connection.execute(select(a.c.read_id, a.c.reader_id).where(a.c.assigned_at >= since))
        return {row[0]: row[1] for row in rows}


def _filled_again(seen: Seen, assigned: dict[str, str]) -> list[float]:
    """Seconds from a place that became free to the first order of the read that filled it, in order by reader."""
    came: dict[str, list[float]] = defaultdict(list)
    for read_id, at_s in sorted(seen.ordered_reads, key=lambda one: one[1]):
        if read_id in assigned:
            came[assigned[read_id]].append(at_s)
    waits = []
    for reader_id, freed in seen.freed.items():
        orders = iter(came[reader_id])
        for at_s in freed:
            filled = next((order_s for order_s in orders if order_s > at_s), None)
            if filled is not None:
                waits.append(filled - at_s)
    return waits


def _rounds(folder: Path) -> list[dict[str, Any]]:
    """What the routers' logs say of their planners, once they have ended."""
    found = []
    for log in folder.glob("router-*/router.log"):
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if '"planner.worked"' in line:
                found.append(json.loads(line))
    return found


def smaller_region(plan: RegionPlan) -> RegionPlan:
    """Tiny numbers: shows that it works, measures nothing."""
    return replace(plan, readers=20, waiting=50, trusts=3, rate=5.0, seconds=2.0, plan_every_s=1.0)
