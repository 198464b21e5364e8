"""The router's composition root: the only place where its parts are wired, started and stopped."""

import asyncio
import gc
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Literal

import uvicorn
from fastapi import FastAPI
from sqlalchemy.engine import make_url

from dicom_nodes.foundation.clock import Clock, utc_now
from dicom_nodes.foundation.database import open_database
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.foundation.settings_file import split_host_port
from router.config import RouterSettings
from router.flows import overdue
from router.flows.alert_ports import Checkpoint, no_checkpoint
from router.flows.alert_work import AlertWork
from router.flows.assign_reads import assign_ready_reads
from router.flows.kept_snapshot import PlannerMemory
from router.flows.learn_times import learn_reading_times
from router.flows.look_ahead import look_ahead
from router.flows.missing_rules import ask_for_rules
from router.flows.round_times import RoundTimes, pause_after
from router.flows.watch_deliveries import watch_deliveries
from router.notify.channels import Channels
from router.rules.alert_codes import AlertCodes
from router.rules.planning import Ahead, ListLengths
from router.rules.seed_warnings import seed_warnings
from router.store import planner_rounds
from router.store.rule_seeding import load_rule_seed
from router.store.schema import migrate
from router.store.seeding import load_seeds
from router.store.tokens import Role
from router.store.transaction import SqlStore
from router.web.api import build_api
from router.web.messages import StudyTrace
from router.web.network import issue_checked
from router.web.order_bell import OrderBell
from router.web.services import Services
from router.web.views import traces

_LEAST_PAUSE_S = 0.2
"""Between two rounds, so that events that come together are planned together."""
_PAUSE_BESIDE_ANOTHER_S = 0.5
_SAY_TIMES_EVERY_S = 60.0
_TURN_S = 0.001
_GARBAGE_THRESHOLDS = (50_000, 20, 20)
"""New containers before the youngest are looked through; then how many times before the next older ones are."""


class Planner:
    """Plans soon after being woken, and at every interval also looks for what is overdue.

    A round at an event works out only what changed since the round before, and rounds take turns with the rest of the
    router: however many events come, about a quarter of one processor goes to rounds at most.
    """

    def __init__(self, store: SqlStore, settings: RouterSettings, clock: Clock) -> None:
        self._store = store
        self._settings = settings.router
        self._exam_table = tuple((e.group, e.minutes) for e in settings.routing.exams if e.group is not None)
        self._clock = clock
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="planner", daemon=True)
        self._lists = ListLengths(self._settings.list_length)
        self._ahead: Ahead | None = None
        self._looking = threading.Thread(target=self._look_ahead, name="planner-ahead", daemon=True)
        self._memory = PlannerMemory()
        self._times = RoundTimes()

    def start(self) -> None:
        self._thread.start()
        self._looking.start()

    def wake(self) -> None:
        """Ask for a plan soon; returns at once."""
        self._woken.set()

    def stop(self) -> None:
        """Finish the plan in hand and stop."""
        self._stopping.set()
        self._woken.set()
        for thread in (self._thread, self._looking):
            if thread.is_alive():
                thread.join()

    def look_ahead_once(self) -> None:
        """Plan the region ahead; the next rounds go by it until it is stale."""
        self._ahead = look_ahead(self._store, self._clock(), self._settings.plan_ahead_every_s, self._lists)

    def run_once(self) -> bool:
        """Plan everything anew from the database and look for what is overdue, unless another replica is at it."""
        self._memory = PlannerMemory()
        return self._round(on_the_clock=True, anew=True)

    def _round(self, *, on_the_clock: bool, anew: bool) -> bool:
        """Whether it was ours to do."""
        with self._store.planner_lock() as mine:
            if mine:
                with self._times.timed("anew" if anew else "at_event"):
                    self._work(on_the_clock=on_the_clock, anew=anew)
            return mine

    def _work(self, *, on_the_clock: bool, anew: bool) -> None:
        now = self._clock()
        if on_the_clock:
            overdue.give_back(self._store, now, _log_failure)
        timeout_s, memory = self._settings.claim_timeout_s, self._memory
        assign_ready_reads(
            self._store, now, timeout_s, _log_failure, self._lists, self._ahead, memory, explain_anew=anew
        )
        if on_the_clock:
            overdue.tick(self._store, self._settings, now, _log_failure)
            watch_deliveries(self._store, now)
            learn_reading_times(self._store, self._exam_table, now)
            with self._store.write() as tx:
                planner_rounds.record(tx.connection, self._clock())

    def _look_ahead(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look_ahead_once()
            except Exception as error:  # noqa: BLE001 - the worker's boundary: the index runs alone until the next
                event_log().error("planner.look_ahead_failed", exc_info=error)
            self._stopping.wait(self._settings.plan_ahead_every_s)

    def _run(self) -> None:
        clock_s = anew_s = time.monotonic()
        while not self._stopping.is_set():
            self._woken.wait(max(0.0, clock_s - time.monotonic()))
            self._woken.clear()
            if self._stopping.is_set():
                break
            now_s = time.monotonic()
            on_the_clock, anew = now_s >= clock_s, now_s >= anew_s
            clock_s = now_s + self._settings.plan_every_s if on_the_clock else clock_s
            anew_s = now_s + self._settings.replan_every_s if anew else anew_s
            pause_s = _LEAST_PAUSE_S
            try:
                if not (self.run_once() if anew else self._round(on_the_clock=on_the_clock, anew=False)):
                    self._woken.set()  # what woke us may have come too late for the other replica's round
                    pause_s = _PAUSE_BESIDE_ANOTHER_S
                    clock_s, anew_s = (now_s if on_the_clock else clock_s), (now_s if anew else anew_s)  # still due
            except Exception as error:  # noqa: BLE001 - the worker's boundary: the next round tries again
                event_log().error("planner.failed", exc_info=error)
                self._memory = PlannerMemory()
            if self._times.due(_SAY_TIMES_EVERY_S):
                event_log().info("planner.worked", **self._times.said())
            self._stopping.wait(pause_after(self._times.last_s, pause_s))
        event_log().info("planner.worked", **self._times.said())


def _log_failure(failure: Exception) -> None:
    event_log().error("planner.decision_failed", exc_info=failure)


def open_store(settings: RouterSettings, bell: OrderBell | None = None, clock: Clock = utc_now) -> SqlStore:
    """Open the database, bring its schema up to date and load the seeds."""
    file = make_url(settings.router.database_url).database
    if settings.router.database_url.startswith("sqlite") and file:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    database = open_database(settings.router.database_url)
    migrate(database)
    alert_codes = AlertCodes(settings.alerts.listed, frozenset(settings.alerts.schemes))
    store = SqlStore(database, (bell or OrderBell()).ring, clock, alert_codes)
    load_seeds(store, settings)
    load_rule_seed(store, settings, utc_now())
    return store


def _say_missing_rules(store: SqlStore, settings: RouterSettings, clock: Clock) -> None:
    if not settings.router.rules_need_second_person:
        return
    with store.write() as tx:
        why = ask_for_rules(tx, clock())
    if why is not None:
        event_log().warning("rules.none_active", reason=why)


def create_app(
    settings: RouterSettings,
    clock: Clock = utc_now,
    *,
    plan_in_background: bool = True,
    checkpoint: Checkpoint = no_checkpoint,
) -> FastAPI:
    """The whole router as an ASGI application.

    Its planner (`app.state.planner`) and its alerts (`app.state.alerts`) run while the application does, or only when
    asked to (`plan_in_background=False`). `checkpoint` is told of the alerts' durable steps.
    """
    channels = Channels(settings.alerts, settings.router.alerts or settings.file, clock)
    bell = OrderBell()
    store = open_store(settings, bell, clock)
    planner = Planner(store, settings, clock)
    for file, key, words in seed_warnings(settings, clock()):
        event_log().warning("seed.warning", file=file.name, key=key, reason=words)
    _say_missing_rules(store, settings, clock)
    alerts = AlertWork(store, settings.alerts, channels.by_name, clock, checkpoint)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if plan_in_background:
            planner.start()
            planner.wake()
            alerts.start()
        yield
        bell.close()
        alerts.stop()
        channels.close()
        planner.stop()
        store.database.dispose()

    app = build_api(Services(settings, store, clock, bell, planner.wake, clock()), lifespan)
    app.state.planner = planner
    app.state.alerts = alerts
    return app


class _Server(uvicorn.Server):
    """Ends long polls as soon as it is asked to stop, and returns instead of dying of the signal."""

    def __init__(self, config: uvicorn.Config, bell: OrderBell) -> None:
        super().__init__(config)
        self._bell = bell

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        # In a signal handler no lock may be awaited: the thread takes the bell's.
        threading.Thread(target=self._bell.close, name="stop-long-polls", daemon=True).start()

    def stop(self) -> None:
        self.should_exit = True
        self._bell.close()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class RunningRouter:
    """A router in a thread of this process, for demonstrations and tests; `address` is `HOST:PORT` as bound."""

    def __init__(self, settings: RouterSettings, clock: Clock = utc_now) -> None:
        self._socket = _bind(settings)
        self.address = _address(self._socket)
        self.server = _server(settings, clock)
        self._thread = threading.Thread(target=self._run, name="router", daemon=True)

    def _run(self) -> None:
        self.server.run(sockets=[self._socket])

    def __enter__(self) -> "RunningRouter":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.server.stop()
        self._thread.join()


def serve(settings: RouterSettings, clock: Clock = utc_now) -> int:
    """Run until SIGTERM or SIGINT and stop cleanly; returns the exit status.

    The bound address is said on standard output, so that port 0 can be used.
    """
    server = _server(settings, clock)
    _share_the_interpreter()
    bound = _bind(settings)
    address = _address(bound)
    event_log().info("router.listening", address=address)
    with suppress(BrokenPipeError):
        sys.stdout.write(f"router listens on http://{address} (API documentation: http://{address}/docs)\n")
        sys.stdout.flush()
    server.run(sockets=[bound])
    event_log().info("router.stopped")
    return 0


def _share_the_interpreter() -> None:
    """For one process that answers many callers and plans beside them.

    What is kept from plan to plan is much and never garbage: looking through it at every few facts costs a lot. And a
    thread that waits after each statement for its turn must not wait long.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE_THRESHOLDS)
    sys.setswitchinterval(_TURN_S)


def issue_token(settings: RouterSettings, role: Role, subject: str, clock: Clock = utc_now) -> str:
    """Make a token without the server; the way to the first one. The secret is nowhere stored.

    Raises:
        Invalid: a reader's or node's token for somebody the network does not know.
    """
    store = open_store(settings)
    try:
        with store.write() as tx:
            return issue_checked(tx, role, subject, clock())[1]
    finally:
        store.database.dispose()


def trace_study(settings: RouterSettings, key: str) -> list[StudyTrace]:
    """The ledger of the study with this Study Instance UID or accession number, read without the server."""
    store = open_store(settings)
    try:
        with store.read() as tx:
            now = utc_now()
            return traces(tx, key, None, None, now) or traces(tx, None, key, None, now)
    finally:
        store.database.dispose()


def _server(settings: RouterSettings, clock: Clock) -> _Server:
    app = create_app(settings, clock)
    config = uvicorn.Config(
        app,
        http=_http_protocol(),
        access_log=False,  # URLs carry accession numbers
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    return _Server(config, app.state.services.bell)


def _http_protocol() -> "type[asyncio.Protocol] | Literal['auto']":
    """The fast parser with a limit; without it uvicorn's own choice, which has one."""
    try:
        from router.web.bounded_http import BoundedHttp
    except ImportError:
        return "auto"
    return BoundedHttp


def _bind(settings: RouterSettings) -> socket.socket:
    host, port = split_host_port(settings.router.listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.create_server((host, port), family=family, backlog=2048)
    # Accepted connections inherit it. Without, an answer's body waits 40 ms for the caller to acknowledge its head.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


def _address(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
