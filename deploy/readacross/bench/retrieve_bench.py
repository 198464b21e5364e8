"""`readacross bench retrieve`: one study out of each archive, by C-GET and C-MOVE, to fast and stock receivers."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from readacross.bench.contestants import CALLING, RECEIVER, STOCK_RECEIVER, Contestant, Sample, Surroundings
from readacross.bench.dcmtk_contestants import Storescp
from readacross.bench.figures import Run
from readacross.bench.getter import Got, Retrieval, retrieve, retrieve_in_process
from readacross.bench.process_cost import CpuTime, cpu_time, cpu_time_when_quiet
from readacross.bench.receiver import Received, Receiver
from readacross.bench.results import Result
from readacross.bench.store_bench import Tell, measure_fast
from readacross.bench.synthetic import KINDS, Study
from readacross.bench.wire import AssociationEnded
from readacross.demo.children import ChildDied

WAYS = ("C-GET", "C-MOVE, fast", "C-MOVE, storescp")
_LONG = 1_000_000


@dataclass(frozen=True, slots=True)
class RetrievePlan:
    """What is loaded, and how often it is asked for."""

    kind: str
    instances: int
    rounds: int


class RetrieveBench:
    """Loads the same study into every contestant, then asks each in turn; whatever it measures goes into `result`."""

    def __init__(
        self, plan: RetrievePlan, contestants: Sequence[Contestant], folder: Path, result: Result, tell: Tell
    ) -> None:
        self._plan, self._contestants, self._folder = plan, contestants, folder
        self._result, self._tell = result, tell
        self._study = Study(KINDS[plan.kind], result.started_at, 0, plan.instances)

    def run(self) -> None:
        with ExitStack() as stack:
            receiver, stock = Receiver(), Storescp()
            stack.callback(receiver.stop)
            (self._folder / "stock").mkdir()
            stock.start(Surroundings(self._folder / "stock"))
            stack.callback(stock.stop)
            destinations = {RECEIVER: receiver.port, STOCK_RECEIVER: stock.port}
            loaded = [item for item in self._contestants if self._load(item, destinations, stack)]
            for number in range(1, self._plan.rounds + 1):
                for way in WAYS:
                    for contestant in loaded:
                        run = self._measured(contestant, way, receiver, stock)
                        self._note(run | {"contestant": contestant.name, "way": way, "round": number})

    def _load(self, contestant: Contestant, destinations: dict[str, int], stack: ExitStack) -> bool:
        """Start a contestant, give it the study, and compare every byte of what it gives back."""
        folder = self._folder / f"{len(list(self._folder.iterdir())):02}"
        folder.mkdir()
        contestant.start(Surroundings(folder, destinations))
        stack.callback(contestant.stop)
        try:
            run = measure_fast(contestant, [self._study], 1)
            got = retrieve(self._retrieval(contestant, None, with_digests=True))
            fault = run["failure"] or _fault_in(got, got.received, self._study)
        except (AssociationEnded, OSError) as error:
            fault = f"{type(error).__name__}: {error}"
        if fault is not None:
            failed = {"ok": False, "failure": f"loading it: {fault}", "way": WAYS[0], "round": 0}
            self._note(failed | {"contestant": contestant.name})
        return fault is None

    def _measured(self, contestant: Contestant, way: str, receiver: Receiver, stock: Storescp) -> Run:
        before = cpu_time(contestant.session)
        try:
            if way == WAYS[0]:
                got = retrieve_in_process(self._retrieval(contestant, None))
                received = got.received
            elif way == WAYS[1]:
                receiver.reset()
                got = retrieve_in_process(self._retrieval(contestant, RECEIVER))
                received = receiver.report()
            else:
                got = retrieve_in_process(self._retrieval(contestant, STOCK_RECEIVER))
                received = self._taken_by(stock)
        except (AssociationEnded, ChildDied, OSError, RuntimeError) as error:
            return {"ok": False, "failure": f"{type(error).__name__}: {error}"}
        fault = _fault_in(got, received, self._study)
        return _figures(got, received, cpu_time_when_quiet(contestant.session) - before) | {
            "ok": fault is None,
            "failure": fault,
        }

    def _taken_by(self, stock: Storescp) -> Received:
        """What storescp wrote, read back; its folder is empty afterwards."""
        uids = [self._study.sop_instance_uid(number) for number in range(self._study.count)]
        stored = stock.stored(Sample([self._study], _LONG))
        stock.empty()
        size_bytes = self._study.size_bytes if set(stored.digests) == set(uids) else 0
        return Received(instances=stored.instances, size_bytes=size_bytes, digests=dict(stored.digests))

    def _retrieval(self, contestant: Contestant, destination: str | None, *, with_digests: bool = False) -> Retrieval:
        study = self._study
        return Retrieval(
            "127.0.0.1",
            contestant.port,
            contestant.ae_title,
            CALLING,
            study.study_instance_uid,
            study.kind.sop_class_uid,
            destination,
            with_digests,
        )

    def _note(self, run: Run) -> None:
        self._result.runs.append(run)
        figure = f"{run['mb_s']:7.0f} MB/s" if run["ok"] else f"FAILED: {run['failure']}"
        self._tell(f"round {run['round']} {run['way']:18} {run['contestant']:24} {figure}")


def _fault_in(got: Got, received: Received, study: Study) -> str | None:
    """What is wrong with what arrived, if anything is; digests count where there are any."""
    if got.status or got.completed != study.count or got.failed:
        return f"ended with {got.status:04X}, {got.completed} completed and {got.failed} failed of {study.count}"
    if (received.instances, received.size_bytes) != (study.count, study.size_bytes):
        return f"{received.instances} instances and {received.size_bytes} bytes arrived"
    if received.digests and received.digests != {item.sop_instance_uid: item.digest for item in study.instances()}:
        return "what arrived has another content"
    return None


def _figures(got: Got, received: Received, used: CpuTime) -> Run:
    elapsed_s, size_bytes = got.ended_s - got.asked_s, received.size_bytes
    first_s = received.first_complete_s
    return {
        "elapsed_s": elapsed_s,
        "mb_s": size_bytes / elapsed_s / 1e6,
        "instances_s": received.instances / elapsed_s,
        "first_ms": 1000 * (first_s - got.asked_s) if first_s else None,
        "user_s_gb": used.user_s / max(size_bytes, 1) * 1e9,
        "system_s_gb": used.system_s / max(size_bytes, 1) * 1e9,
    }
