"""Let go of what others have: studies by age or for want of room, then the segments in which nothing is wanted.

In this order, and each step durable before the next: rows lose their places; what little is wanted in a segment is
copied out and rows lead to the copies; a segment to which nothing leads is used again, some time later, because who
looked a place up before reads it still. A crash between any two steps loses nothing and repeats little.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from dicom_nodes.flows.ports import Checkpoint, no_checkpoint
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.model.errors import CrashConsistency, OutOfResources
from dicom_nodes.rules.retention import Evict, Keep, Retention, StudyInSpool, may_evict, room_to_make

_LITTLE = 4
"""Copied out is what is wanted of a segment when it is less than this part of it."""
_COPIED_OUT_AT_ONCE = 4
Life = TypeVar("Life")
Released = TypeVar("Released", contravariant=True)


class EvictionStore(Protocol[Life]):
    """The tables' side; `Life` names a segment between two times of being used again."""

    def studies_in_spool(self, arrived_until: datetime) -> Iterator[StudyInSpool]: ...

    def evict(self, study_instance_uid: str, may_go: Callable[[StudyInSpool], bool]) -> int: ...

    def unwanted(self) -> Sequence[Life]: ...

    def little_wanted(self, at_most_bytes: int) -> Sequence[Life]: ...

    def wanted(self, life: Life) -> Sequence[str]: ...

    def move(self, life: Life, moves: Mapping[str, str]) -> Sequence[str]: ...

    def is_unwanted(self, life: Life) -> bool: ...

    def forget(self, life: Life) -> None: ...


class SegmentStore(Protocol[Released]):
    """The spool's side."""

    @property
    def segment_bytes(self) -> int: ...

    def free_bytes(self) -> int: ...

    def copy_out(self, location: str) -> str: ...

    def release(self, life: Released) -> bool: ...


class MakeRoom(Generic[Life]):
    """Call it every so often."""

    def __init__(
        self,
        store: EvictionStore[Life],
        spool: SegmentStore[Life],
        policy: Retention,
        clock: Clock,
        note_surplus: Callable[[str], None],
        *,
        grace_s: float,
        checkpoint: Checkpoint = no_checkpoint,
        stopping: Callable[[], bool] = lambda: False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`note_surplus` is told of a copy to which nothing leads after all."""
        self._store, self._spool, self._policy, self._clock = store, spool, policy, clock
        self._note_surplus, self._grace_s, self._checkpoint = note_surplus, grace_s, checkpoint
        self._stopping, self._monotonic = stopping, monotonic
        self._is_making_room = False
        self._unwanted_since: dict[Life, float] = {}
        self._damaged: set[Life] = set()
        self.shortage: str | None = None
        """Why there is not the room that is wished for, in words for an administrator."""

    def __call__(self) -> None:
        lacking = room_to_make(self._room(), self._is_making_room, self._policy)
        self._is_making_room = lacking > 0
        self._evict(lacking)
        if self._is_making_room and self._room() < self._policy.make_room_until_bytes:
            self._copy_out()
        self._release()

    def _room(self) -> int:
        """What is free, and what will be once segments that nobody wants are used again."""
        return self._spool.free_bytes() + len(self._store.unwanted()) * self._spool.segment_bytes

    def _evict(self, lacking: int) -> None:
        policy, now = self._policy, self._clock()
        due = now - policy.keep
        studies = let_go = 0
        kept: Counter[str] = Counter()
        for study in self._store.studies_in_spool(max(due, now - policy.keep_at_least) if lacking else due):
            lacks_room = let_go < lacking
            if self._stopping() or (study.last_arrival > due and not lacks_room):
                break
            verdict = may_evict(study, policy, now, lacks_room)
            if isinstance(verdict, Keep):
                kept[verdict.reason] += 1
                continue
            let_go += self._store.evict(study.study_instance_uid, self._judge(now, lacks_room))
            studies += 1
            self._checkpoint("evict.evicted")
        if studies:
            event_log().info("spool.evicted", studies=studies, bytes=let_go)
        self.shortage = _shortage(self._spool.free_bytes(), kept) if let_go < lacking else None

    def _judge(self, now: datetime, lacks_room: bool) -> Callable[[StudyInSpool], bool]:
        return lambda study: isinstance(may_evict(study, self._policy, now, lacks_room), Evict)

    def _copy_out(self) -> None:
        little = self._store.little_wanted(self._spool.segment_bytes // _LITTLE)
        for life in [life for life in little if life not in self._damaged][:_COPIED_OUT_AT_ONCE]:
            copies: dict[str, str] = {}
            try:
                for location in self._store.wanted(life):
                    copies[location] = self._spool.copy_out(location)
                self._checkpoint("evict.copied")
                needless = list(self._store.move(life, copies))
            except BaseException as error:
                for copy in copies.values():
                    self._note_surplus(copy)
                if isinstance(error, OutOfResources):
                    event_log().warning("spool.copying_out_failed", exc_info=error)
                    return
                if not isinstance(error, CrashConsistency):
                    raise
                self._damaged.add(life)
                continue
            for copy in needless:
                self._note_surplus(copy)
            self._checkpoint("evict.moved")
            event_log().info("spool.copied_out", objects=len(copies))

    def _release(self) -> None:
        now = self._monotonic()
        unwanted = self._store.unwanted()
        self._unwanted_since = {life: self._unwanted_since.get(life, now) for life in unwanted}
        for life, since in self._unwanted_since.items():
            if now - since < self._grace_s or not self._store.is_unwanted(life):
                continue
            if self._spool.release(life):
                self._checkpoint("evict.released")
                self._store.forget(life)


def _shortage(free_bytes: int, kept: Counter[str]) -> str:
    why = ", ".join(f"{count} studies: {reason}" for reason, count in kept.most_common(3)) or "no study is old enough"
    return f"Room in the spool is short ({free_bytes >> 20} MiB free) and nothing more may be let go of; {why}."
