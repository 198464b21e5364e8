"""One thread that commits what was noted, in batches, behind the answers; and what is noted, for look-ups meanwhile.

It never gives an instance up: a database that is away is waited out, a single instance that the database will not take
is set aside and tried again, and both can be seen. The bytes are in the spool all the while.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence

from dicom_nodes.foundation.database import is_temporary
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.model.instance import SpooledInstance
from dicom_nodes.model.study import StudyOwner
from dicom_nodes.rules.ownership import merged_owner, owner_said_by

BATCH = 500
_LONGEST_QUEUE = 5000
_AWAY_PAUSE_S = 1.0
_SET_ASIDE_RETRY_S = 5.0
_LOOK_EVERY_S = 0.005
_GATHER_S = 0.25

Commit = Callable[[Sequence[SpooledInstance]], None]
"""Writes a batch in one transaction, passing over what is there already."""


class _Hurry:
    """Stands in the queue where somebody began to wait for what stands before it."""


_HURRY = _Hurry()


class Committer:
    """Takes instances by `note`; `start` and `stop` its thread."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._queue: queue.Queue[SpooledInstance | _Hurry | None] = queue.Queue(maxsize=_LONGEST_QUEUE)
        self._noted: dict[str, SpooledInstance] = {}
        self._owners: dict[str, tuple[StudyOwner, int]] = {}
        self._set_aside: list[SpooledInstance] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.database_away = False
        """Whether the last commit failed because the database is away, busy or full."""

    @property
    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def set_aside(self) -> int:
        """How many instances the database will not take; they are tried again every few seconds."""
        return len(self._set_aside)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._commit_forever, name="committer")
        self._thread.start()

    def stop(self) -> None:
        """Commit what is noted, then end; the next start finds in the spool what could not be committed."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def note(self, spooled: SpooledInstance) -> None:
        """Commit it soon; waits only when thousands are waiting already."""
        self._remember(spooled)
        self._queue.put(spooled)

    def commit_now(self, batch: Sequence[SpooledInstance]) -> None:
        """Commit in the caller's thread, before `start`; what will not go is set aside."""
        for spooled in batch:
            self._remember(spooled)
        self._commit_as_far_as_possible(list(batch), patient=False)

    def find(self, sop_instance_uid: str) -> SpooledInstance | None:
        """The instance, while it is not committed."""
        with self._lock:
            return self._noted.get(sop_instance_uid)

    def owner_of(self, study_instance_uid: str) -> StudyOwner | None:
        """Whose the study is, as its instances that are not committed have said, in the order they came."""
        with self._lock:
            noted = self._owners.get(study_instance_uid)
            return None if noted is None else noted[0]

    def wait_until_committed(self, deadline_s: float) -> bool:
        """Wait for everything noted so far; False when that took longer than `deadline_s`.

        What was set aside is not waited for: one instance must not hold up the answers about all others.
        """
        end = time.monotonic() + deadline_s
        with self._lock:
            awaited = self._noted.keys() - {item.header.sop_instance_uid for item in self._set_aside}
        if awaited:
            self._queue.put(_HURRY)
        while awaited and time.monotonic() < end:
            time.sleep(_LOOK_EVERY_S)
            with self._lock:
                awaited &= self._noted.keys()
        return not awaited

    def _remember(self, spooled: SpooledInstance) -> None:
        header = spooled.header
        said = owner_said_by(header, spooled.provenance.origin)
        with self._lock:
            if header.sop_instance_uid in self._noted:
                return
            self._noted[header.sop_instance_uid] = spooled
            owner, count = self._owners.get(header.study_instance_uid, (said, 0))
            self._owners[header.study_instance_uid] = (merged_owner(owner, said) or said, count + 1)

    def _forget(self, batch: Sequence[SpooledInstance]) -> None:
        with self._lock:
            for spooled in batch:
                header = spooled.header
                if self._noted.pop(header.sop_instance_uid, None) is None:
                    continue
                owner, count = self._owners.pop(header.study_instance_uid)
                if count > 1:
                    self._owners[header.study_instance_uid] = (owner, count - 1)

    def _commit_forever(self) -> None:
        stopping = False
        while not stopping:
            batch, stopping = self._gathered()
            if self._set_aside and not batch:
                batch, self._set_aside = self._set_aside[:BATCH], self._set_aside[BATCH:]
            self._commit_as_far_as_possible(batch, patient=not stopping)

    def _gathered(self) -> tuple[list[SpooledInstance], bool]:
        """What was noted since the last batch, and shortly after its first; True when this is the last.

        A transaction costs the same for one instance as for many, so a few are waited for, unless somebody waits.
        """
        batch: list[SpooledInstance] = []
        wait_s = _SET_ASIDE_RETRY_S if self._set_aside else None
        try:
            while len(batch) < BATCH:
                noted = self._queue.get(timeout=wait_s) if wait_s != 0.0 else self._queue.get_nowait()
                if noted is None:
                    return batch, True
                if isinstance(noted, _Hurry):
                    wait_s = 0.0
                    continue
                if not batch:
                    deadline = time.monotonic() + _GATHER_S
                batch.append(noted)
                wait_s = 0.0 if wait_s == 0.0 else max(0.0, deadline - time.monotonic())
        except queue.Empty:
            pass
        return batch, False

    def _commit_as_far_as_possible(self, batch: list[SpooledInstance], *, patient: bool) -> None:
        """Commit the batch, one by one where the whole will not go; `patient` waits out a database that is away."""
        pause = threading.Event()
        while batch:
            try:
                self._commit(batch)
                self._forget(batch)
                self.database_away = False
                return
            except Exception as error:  # noqa: BLE001 - a worker's boundary: recorded; the bytes stay in the spool
                event_log().error("catalogue.commit_failed", exc_info=error, instances=len(batch))
                self.database_away = is_temporary(error)
            if self.database_away and patient and not self._asked_to_stop():
                pause.wait(_AWAY_PAUSE_S)
            elif self.database_away or len(batch) == 1:
                self._set_aside += batch
                return
            else:
                for item in batch:
                    self._commit_as_far_as_possible([item], patient=patient)
                return

    def _asked_to_stop(self) -> bool:
        with self._queue.mutex:
            return None in self._queue.queue
