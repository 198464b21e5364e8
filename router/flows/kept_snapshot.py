"""The planner's snapshot, of which only what changed is read again.

The database stays the truth: each snapshot asks it for the versions of all rows and drops what it no longer has, so
that a planner knows what other replicas did. `take_snapshot` gives the same from nothing (a test compares the two).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from router.flows.assign_reads import planned_as
from router.flows.ports import Transaction
from router.flows.waits_told import WaitsTold
from router.model.pathway import Pathway
from router.model.read import ReadState
from router.model.reader import Reader, ReaderOnDuty
from router.rules.local_time import day_start
from router.rules.planning import InHand, Kept, ListLengths, PlannableRead, Snapshot

PLANNED_STATES = (ReadState.READY, ReadState.ASSIGNED, ReadState.READING)


class KeptSnapshot:
    """Belongs to one planner, which takes one snapshot after the other."""

    def __init__(self) -> None:
        self._versions: dict[str, int] = {}
        self._reads: dict[str, PlannableRead | InHand | None] = {}
        self._readers: dict[str, tuple[int, Reader]] = {}
        self._duties: dict[str, ReaderOnDuty] = {}
        self._pathways: Mapping[str, Pathway] = {}
        self.changed: tuple[str, ...] = ()
        """Reads that were not as they had been when the snapshot was taken, by id."""

    def take(self, tx: Transaction, now: datetime, lists: ListLengths) -> Snapshot:
        """As the database has it now. What is equal to what was there before is the same object."""
        pathways = {pathway.id: pathway for pathway in tx.exams.pathways()}
        if pathways != self._pathways:
            self._pathways, self._reads, self._versions = pathways, {}, {}
        planned = list(self._current_reads(tx))
        return Snapshot(
            now=now,
            reads=tuple([read for read in planned if type(read) is PlannableRead]),
            readers=tuple(self._current_duties(tx, now)),
            aid=tx.aid.book(day_start(now)),
            in_hand=tuple([read for read in planned if type(read) is InHand]),
            lists=lists,
        )

    def forget(self, read_ids: Iterable[str]) -> None:
        """Read these again at the next snapshot, whatever their version."""
        for id_ in read_ids:
            self._versions.pop(id_, None)
            self._reads.pop(id_, None)

    def _current_reads(self, tx: Transaction) -> Iterable[PlannableRead | InHand | None]:
        """What is made of each read; None of one that nobody can plan yet."""
        now, known = dict(tx.reads.versions(PLANNED_STATES)), self._reads
        version_of = self._versions.get
        stale = [id_ for id_, version in now.items() if version_of(id_) != version]
        self.changed = tuple(stale)
        for id_ in known.keys() - now.keys():  # and not of `_versions`, which are behind where a snapshot failed
            known.pop(id_)
        for id_ in stale:
            known.pop(id_, None)
        for read, version, past in tx.reads.to_plan(stale):
            if read.state in PLANNED_STATES:  # it may have changed since its version was asked for
                known[read.id], now[read.id] = planned_as(read, past, self._pathways), version
        self._versions = {id_: now[id_] for id_ in known} if len(known) != len(now) else now
        return known.values()

    def _current_duties(self, tx: Transaction, now: datetime) -> Iterable[ReaderOnDuty]:
        duties = tx.readers.with_loads(self._current_readers(tx), now)
        before = self._duties
        self._duties = {duty.reader.id: _same(before.get(duty.reader.id), duty) for duty in duties}
        return self._duties.values()

    def _current_readers(self, tx: Transaction) -> list[Reader]:
        versions = tx.readers.versions()
        if [(id_, version) for id_, (version, _) in self._readers.items()] != versions:
            fresh, known = {reader.id: reader for reader in tx.readers.all()}, self._readers
            self._readers = {
                id_: known[id_] if id_ in known and known[id_][0] == version else (version, fresh[id_])
                for id_, version in versions
            }
        return [reader for _, reader in self._readers.values()]


@dataclass(frozen=True, slots=True)
class PlannerMemory:
    """What a planner keeps from round to round. A fresh one costs time and changes nothing."""

    snapshot: KeptSnapshot = field(default_factory=KeptSnapshot)
    kept: Kept = field(default_factory=Kept)
    told: WaitsTold = field(default_factory=WaitsTold)


def _same(before: ReaderOnDuty | None, now: ReaderOnDuty) -> ReaderOnDuty:
    """The object from before where nothing changed, so that what is kept of it stays."""
    return before if before is not None and before == now else now
