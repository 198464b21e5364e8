"""However keeping, letting go, copying out and releasing are cut short: nothing wanted is lost, no bytes are others'.

The process is cut short by an exception that nothing handles, at a step or at any call that changes the disk; what was
in memory is forgotten and everything is opened anew, as after kill -9.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from dicom_nodes.foundation.buffers import Buffer
from dicom_nodes.model.errors import CrashConsistency
from dicom_nodes.spool import tables
from dicom_nodes.spool.disk import Disk
from dicom_nodes.spool.instances import location_in
from tests.integration.node.small_spool import DAY, SmallSpool, made_data_set, study_of, uid_of

HUGE = 1 << 60


class CutShort(BaseException):
    """The process is killed here."""


class Fuse:
    """Counts steps down to the one at which the process is killed."""

    def __init__(self) -> None:
        self.left: int | None = None

    def step(self, _name: str = "") -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise CutShort


class DiskWithFuse(Disk):
    def __init__(self, fuse: Fuse) -> None:
        self._fuse = fuse

    def write(self, descriptor: int, buffers: Sequence[Buffer], offset: int) -> None:
        self._fuse.step()
        super().write(descriptor, buffers, offset)

    def sync(self, descriptor: int) -> None:
        self._fuse.step()
        super().sync(descriptor)

    def create(self, file: Path, size_bytes: int) -> int:
        self._fuse.step()
        return super().create(file, size_bytes)

    def remove(self, file: Path) -> None:
        self._fuse.step()
        super().remove(file)


class Run:
    """The spool, and what must be true of it."""

    def __init__(self, folder: Path) -> None:
        self.fuse = Fuse()
        self.spool = SmallSpool(
            folder, f"sqlite:///{folder / 'node.db'}", disk=DiskWithFuse(self.fuse), checkpoint=self.fuse.step
        )
        self.acknowledged: dict[int, tuple[int, bytes]] = {}
        self.archived: set[int] = set()
        self.aside: dict[str, bytes] = {}
        self.ever: dict[str, bytes] = {}
        self.number = 0

    def do(self, action: Callable[[], None], cut_after: int | None) -> bool:
        """Do it, and start anew where it was cut short; returns whether it was."""
        self.fuse.left = cut_after
        try:
            action()
        except CutShort:
            self.fuse.left = None
            self.spool.restart()
            return True
        self.fuse.left = None
        return False

    def keep(self, study: int, size_bytes: int) -> None:
        self.number += 1
        payload = self.number.to_bytes(4, "big") * (size_bytes // 4 + 1)
        self.spool.keep(self.number, study, payload)
        self.acknowledged[self.number] = (study, made_data_set(self.number, study, payload))

    def keep_again(self, which: int) -> None:
        """A repeat that the node keeps again: because it was evicted, or died before it could note the first."""
        if self.acknowledged:
            number = sorted(self.acknowledged)[which % len(self.acknowledged)]
            study, data_set = self.acknowledged[number]
            header = made_data_set(number, study, b"")
            self.spool.keep(number, study, data_set[len(header) :])

    def quarantine(self, study: int) -> None:
        self.number += 1
        location = self.spool.quarantine(self.number, study, b"aside")
        self.aside[uid_of(self.number)] = made_data_set(self.number, study, b"aside")
        self.ever[location] = self.aside[uid_of(self.number)]

    def archive(self, study: int) -> None:
        self.spool.archive(study)
        self.archived |= {number for number, (of, _) in self.acknowledged.items() if of == study}

    def settle(self, study: int) -> None:
        """It stops growing; the archive has not got it yet."""
        self.spool.store.studies.settle(study_of(study))
        job = self.spool.store.jobs.lease(["archive"], lease_s=60)
        while job is not None:  # whatever happens to the job: what counts is what the archive acknowledged
            with self.spool.store.database.write() as connection:
                self.spool.store.jobs.complete(connection, job)
            job = self.spool.store.jobs.lease(["archive"], lease_s=60)

    def set_room(self, is_short: bool) -> None:
        bytes_ = HUGE if is_short else 0
        policy = replace(self.spool.policy, make_room_below_bytes=bytes_, make_room_until_bytes=bytes_)
        self.spool.policy = policy
        self.spool.restart()

    def check(self) -> None:
        for number, (study, data_set) in self.acknowledged.items():
            location = self.spool.location(number)
            if location is None:
                assert number in self.archived, "let go of though the archive does not have it"
                continue
            self.ever[location] = data_set
            assert self.spool.spool.read_data_set(location) == data_set
            assert self.spool.store.catalogue.study(study_of(study)) is not None
        with self.spool.store.database.read() as connection:
            rows = {row.sop_instance_uid: row for row in connection.execute(select(tables.quarantine))}
        for uid, data_set in self.aside.items():
            location = location_in(rows[uid])
            assert location is not None
            assert self.spool.spool.read_data_set(location) == data_set
        for location, data_set in self.ever.items():
            try:
                assert self.spool.spool.read_data_set(location) == data_set, "bytes of another"
            except CrashConsistency:
                continue
        assert self.spool.spool.damaged == set()


STUDIES = st.integers(1, 3)
ACTIONS = st.one_of(
    st.tuples(st.just("keep"), STUDIES, st.integers(0, 30_000)),
    st.tuples(st.just("keep"), STUDIES, st.integers(10_000, 30_000)),
    st.tuples(st.just("keep_again"), st.integers(0, 100)),
    st.tuples(st.just("quarantine"), STUDIES),
    st.tuples(st.just("archive"), STUDIES),
    st.tuples(st.just("settle"), STUDIES),
    st.tuples(st.just("age")),
    st.tuples(st.just("set_room"), st.booleans()),
    st.tuples(st.just("upkeep")),
    st.tuples(st.just("upkeep")),
    st.tuples(st.just("restart")),
)
CUTS = st.one_of(st.none(), st.integers(0, 12))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(ACTIONS, CUTS), min_size=12, max_size=50))
def test_nothing_wanted_is_lost_and_no_bytes_are_others(steps: list[tuple[tuple, int | None]]) -> None:  # type: ignore[type-arg]
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder))
        try:
            for (name, *arguments), cut_after in steps:
                if name == "age":
                    run.spool.clock.now += 31 * DAY
                elif name in {"upkeep", "restart"}:
                    run.do(getattr(run.spool, name), cut_after)
                else:
                    run.do(lambda name=name, arguments=arguments: getattr(run, name)(*arguments), cut_after)  # type: ignore[misc]
                run.check()
            run.spool.restart()
            run.check()
        finally:
            run.spool.close()


def test_cut_short_at_every_step_of_making_room() -> None:
    """One after the other: every step and every change of the disk between eviction and the segment's next life."""
    for cut_after in count():
        with tempfile.TemporaryDirectory() as folder:
            run = Run(Path(folder))
            run.keep(2, 100)
            run.quarantine(3)
            for _ in range(5):
                run.keep(1, 9_000)
            run.archive(1)
            run.spool.vouch()
            run.spool.clock.now += 31 * DAY
            run.set_room(True)
            was_cut = run.do(run.spool.upkeep, cut_after)
            run.check()
            run.spool.upkeep()
            run.spool.upkeep()
            run.check()
            for _ in range(6):
                run.keep(1, 9_000)
            run.check()
            with run.spool.store.database.read() as connection:
                assert connection.execute(select(tables.whole_segment.c.segment)).all() != [(1,)], "never used again"
            run.spool.close()
        if not was_cut:
            break
    assert cut_after >= 10, "two evicted, two copied, moved, released: there were more steps than that"
