"""The alerts' own threads in a router: one looks at the ladders, a few hand notifications to their channels.

They are apart from the planner: a plan that takes long, or fails, delays no alert. What goes wrong ends none of them;
what cannot even be recorded is left to the job's lease, which runs out.
"""

import threading
from collections.abc import Callable, Mapping

from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.foundation.jobs import Job, LeaseLost
from router.alert_settings import AlertsFile
from router.flows.alert_ports import AlertChannel, Checkpoint, no_checkpoint
from router.flows.escalate_alerts import NOTIFY_JOB, look_at_alerts
from router.flows.ports import Store
from router.flows.send_notification import SendNotification

_SENDERS = 6
_AFTER_FAILURE_S = 5.0
_A_CHANNEL = 2
"""Senders that one channel may keep busy, over all replicas: a slow one delays only itself."""


class AlertWork:
    """Start it once a router; several routers may share a database."""

    def __init__(
        self,
        store: Store,
        settings: AlertsFile,
        channels: Mapping[str, AlertChannel],
        clock: Clock,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> None:
        self._store, self._settings, self._clock, self._checkpoint = store, settings, clock, checkpoint
        self._send = SendNotification(store, channels, settings, clock, checkpoint)
        self._stopping = threading.Event()
        self._taking = threading.Lock()
        self._threads = [threading.Thread(target=self._repeat, args=(self._look_or_wait,), name="alerts", daemon=True)]
        self._threads += [
            threading.Thread(target=self._repeat, args=(self._work_or_wait,), name=f"alerts-send-{n}", daemon=True)
            for n in range(_SENDERS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what is in hand and stop."""
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def run_once(self) -> None:
        """Look at every ladder and send what is due, until nothing is; for whoever owns the time."""
        while self._look() or self._work():
            pass

    def _repeat(self, part: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            try:
                part()
            except Exception as error:  # noqa: BLE001 - a worker's boundary: the lease or the next look goes on
                event_log().error("alerts.failed", exc_info=error)
                self._stopping.wait(_AFTER_FAILURE_S)

    def _look_or_wait(self) -> None:
        if not self._look():
            self._stopping.wait(self._settings.look_every_s)

    def _work_or_wait(self) -> None:
        with self._taking:  # one sender watches for work, the others wait for their turn to watch
            job = self._lease()
            if job is None:
                self._stopping.wait(self._settings.look_every_s)
        if job is not None:
            self._do(job)

    def _look(self) -> bool:
        return look_at_alerts(self._store, self._settings, self._clock(), _log_failure, self._checkpoint) > 0

    def _lease(self) -> Job | None:
        return self._store.job_desk.lease((NOTIFY_JOB,), self._settings.lease_s, _A_CHANNEL, self._clock())

    def _work(self) -> bool:
        job = self._lease()
        if job is not None:
            self._do(job)
        return job is not None

    def _do(self, job: Job) -> None:
        done = threading.Event()
        pulse = threading.Thread(target=self._keep_alive, args=(job, done), name="alerts-lease", daemon=True)
        pulse.start()
        try:
            self._send(job)
        except LeaseLost:
            event_log().warning("alerts.lease_lost", job=job.id)
        finally:
            done.set()
            pulse.join()

    def _keep_alive(self, job: Job, done: threading.Event) -> None:
        while not done.wait(self._settings.lease_s / 3):
            try:
                self._store.job_desk.heartbeat(job, self._settings.lease_s)
            except Exception as error:  # noqa: BLE001 - the job's own fenced writes decide whether it still counts
                event_log().warning("alerts.heartbeat_failed", job=job.id, exc_info=error)


def _log_failure(failure: Exception) -> None:
    event_log().error("alerts.look_failed", exc_info=failure)
