"""One thread that commits what was noted, in batches, behind the answers; and what is noted, for look-ups meanwhile.

It never gives an instance up: a database that is away is waited out, a single instance that the database will not take
is set aside and tried again by the clock, whatever else comes; both can be seen, and whoever asks for its study is told
of it. The bytes are in the spool all the while.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from dicom_nodes.foundation.database import is_temporary
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.model.instance import SpooledInstance
from dicom_nodes.model.study import StudyOwner
from dicom_nodes.rules.ownership import merged_owner, owner_said_by

BATCH = 500
_LONGEST_QUEUE = 5000
_PATIENCE_AT_START_S = 60.0
_AWAY_PAUSE_S = 1.0
_SET_ASIDE_RETRY_S = 5.0
_LOOK_EVERY_S = 0.005
_GATHER_S = 0.25

Commit = Callable[[Sequence[SpooledInstance]], None]
"""Writes a batch in one transaction, passing over what is there already."""


class Committer:
    """Takes instances by `note`; `start` and `stop` its thread."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._waiting: deque[SpooledInstance] = deque()
        self._noted: dict[str, SpooledInstance] = {}
        self._owners: dict[str, tuple[StudyOwner, int]] = {}
        self._set_aside: list[SpooledInstance] = []
        self._retry_at = 0.0
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._stopping = self._hurry = False
        self._thread: threading.Thread | None = None
        self.database_away = False
        """Whether the last commit failed because the database is away, busy or full."""

    @property
    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def is_behind(self) -> bool:
        """Whether so many wait that no more should be taken in."""
        return len(self._waiting) >= _LONGEST_QUEUE

    @property
    def set_aside(self) -> int:
        """How many instances the database will not take; they are tried again every few seconds."""
        return len(self._set_aside)

    def set_aside_instances(self) -> list[SpooledInstance]:
        """Which those are: acknowledged and durable, and in no row."""
        with self._lock:
            return list(self._set_aside)

    def start(self) -> None:
        self._stopping = False
        self._thread = threading.Thread(target=self._commit_forever, name="committer")
        self._thread.start()

    def stop(self) -> None:
        """Commit what is noted, then end; the next start finds in the spool what could not be committed."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def note(self, spooled: SpooledInstance) -> None:
        """Commit it soon; never waits, so look at `is_behind` before."""
        self._remember(spooled)
        with self._changed:
            self._waiting.append(spooled)
            self._changed.notify()

    def commit_now(self, batch: Sequence[SpooledInstance]) -> None:
        """Commit in the caller's thread, before `start`; a database that is away is waited out for a minute."""
        for spooled in batch:
            self._remember(spooled)
        self._commit_as_far_as_possible(list(batch), patient_until=time.monotonic() + _PATIENCE_AT_START_S)

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

        What was set aside is not waited for, see `set_aside_instances`; unless the database is away, then nobody can
        be told what is here.
        """
        end = time.monotonic() + deadline_s
        with self._changed:
            if self.database_away and self._set_aside:
                return False
            awaited = self._noted.keys() - {item.header.sop_instance_uid for item in self._set_aside}
            if awaited:
                self._hurry = True
                self._changed.notify()
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
        while True:
            batch, is_last = self._gathered()
            self._commit_as_far_as_possible(batch, patient_until=math.inf)
            if is_last:
                return
            if self._set_aside and time.monotonic() >= self._retry_at:
                with self._lock:
                    again, self._set_aside = self._set_aside[:BATCH], self._set_aside[BATCH:]
                self._commit_as_far_as_possible(again, patient_until=0.0)

    def _gathered(self) -> tuple[list[SpooledInstance], bool]:
        """What was noted since the last batch, and shortly after its first; True when nothing will follow.

        A transaction costs the same for one instance as for many, so a few are waited for, unless somebody waits.
        """
        with self._changed:
            while not self._waiting and not self._stopping:
                pause_s = max(0.0, self._retry_at - time.monotonic()) if self._set_aside else None
                if not self._changed.wait(pause_s):
                    return [], False
            gathered_by = time.monotonic() + _GATHER_S
            while len(self._waiting) < BATCH and not (self._stopping or self._hurry):
                if not self._changed.wait(max(0.0, gathered_by - time.monotonic())):
                    break
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._hurry = self._hurry and bool(self._waiting)
            return batch, self._stopping and not self._waiting

    def _commit_as_far_as_possible(self, batch: list[SpooledInstance], *, patient_until: float) -> None:
        """Commit the batch, one by one where the whole will not go; a database that is away is waited out until then.

        What does not go is set aside.
        """
        while batch:
            try:
                self._commit(batch)
                self._forget(batch)
                self.database_away = False
                return
            except Exception as error:  # noqa: BLE001 - a worker's boundary: recorded; the bytes stay in the spool
                event_log().error("catalogue.commit_failed", exc_info=error, instances=len(batch))
                self.database_away = is_temporary(error)
            if self.database_away and time.monotonic() < patient_until and not self._stopping:
                self._pause(_AWAY_PAUSE_S)
            elif self.database_away or len(batch) == 1:
                with self._lock:
                    self._set_aside += batch
                    self._retry_at = time.monotonic() + _SET_ASIDE_RETRY_S
                return
            else:
                for item in batch:
                    self._commit_as_far_as_possible([item], patient_until=patient_until)
                return

    def _pause(self, pause_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, pause_s)
