"""One snapshot of the domain's objects as the planner's problem, and the way back from rows to objects."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from router.model.reader import ReaderOnDuty
from router.rules.eligibility import Need, has_read
from router.rules.planning.aid_arrays import aid_arrays
from router.rules.planning.arrays import (
    NO_READER,
    AidArrays,
    BarredPairs,
    ClassArrays,
    DutyArrays,
    FloatArray,
    Guidance,
    IntArray,
    PlanningProblem,
    ReaderArrays,
    WaitingArrays,
)
from router.rules.planning.decisions import Ahead, PlannableRead, Snapshot
from router.rules.planning.fit import Fit, fit_of
from router.rules.planning.kept import Columns, Kept, KeptRow, Same
from router.rules.planning.reader_arrays import duty_arrays, kept_class_scope, kept_reader_arrays
from router.rules.planning.tuning import Tuning
from router.rules.planning.vocabulary import Vocabulary, minute_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, slots=True)
class Mapped:
    """The rows' objects; `names` are the readers' ids, (R,)."""

    problem: PlanningProblem
    reads: tuple[PlannableRead, ...]
    rows: Sequence[KeptRow]
    readers: tuple[ReaderOnDuty, ...]
    words: Vocabulary
    digest: str
    names: NDArray[np.object_]


def mapped(
    snapshot: Snapshot,
    tuning: Tuning,
    pulling: str | None = None,
    expected: Sequence[PlannableRead] = (),
    kept: Kept | None = None,
) -> Mapped:
    """Rows in the order of ids; `pulling` asks for its next read, and nobody else is given any.

    Classes of the `expected` reads are numbered too; nothing else is made of them.
    """
    kept = Kept() if kept is None else kept
    reads = tuple(sorted(snapshot.reads, key=lambda read: read.need.read_id))
    readers = tuple(sorted(snapshot.readers, key=lambda duty: duty.reader.id))
    rows = kept.rows(reads)
    columns = kept.columns(rows)
    words = kept.words(snapshot, columns, expected)
    people = kept_reader_arrays(readers, words, snapshot.now, kept)
    classes: ClassArrays = kept.value("classes", words, lambda: _classes(words))
    aid = kept.value("aid", (words, snapshot.aid), lambda: aid_arrays(snapshot.aid, words))
    waiting = _waiting(rows, columns, words, kept)
    fit = _fit(kept, readers, people, classes, aid, tuning, words, snapshot.now)
    problem = PlanningProblem(
        now_min=minute_of(snapshot.now),
        classes=classes,
        waiting=waiting,
        readers=people,
        duty=_wanted(duty_arrays(readers, reads, words, snapshot, pulling), waiting, fit),
        aid=aid,
        fit=fit,
        barred=_barred(rows, readers, words),
        guidance=_guidance(snapshot.ahead, reads, words, kept),
    )
    names = np.array([duty.reader.id for duty in readers], np.object_)
    return Mapped(problem, reads, rows, readers, words, _digest(problem, tuning, kept), names)


def _classes(words: Vocabulary) -> ClassArrays:
    keys = list(words.classes)
    return ClassArrays(
        origin=np.array([words.trusts[key.origin] for key in keys], np.int64),
        group=np.array([words.groups[key.exam_group] for key in keys], np.int64),
        subspecialty=np.array([words.subspecialties[key.subspecialty] for key in keys], np.int64),
        minimum_level=np.array([int(key.minimum_level) for key in keys], np.int64),
    )


def _waiting(rows: Sequence[KeptRow], columns: Columns, words: Vocabulary, kept: Kept) -> WaitingArrays:
    holder = np.full(len(rows), NO_READER)
    for row, name in [(at, kept.read.holder) for at, kept in enumerate(rows) if kept.read.holder is not None]:
        holder[row] = words.readers.get(name, NO_READER)
    return WaitingArrays(
        number=np.arange(len(rows)),
        exam_class=_renumbered(columns.exam_class, kept.classes, words.classes),
        weight=columns.weight,
        acute=columns.acute.astype(np.bool_),
        may_wait=columns.may_wait.astype(np.bool_),
        arrived_min=columns.arrived_min,
        due_min=columns.due_min,
        expected_minutes=columns.expected_minutes,
        holder=holder,
    )


def _renumbered(numbers: IntArray, kept: Mapping[Any, int], words: Mapping[Any, int]) -> IntArray:
    now = np.array([words.get(name, -1) for name in kept], np.int64)
    return now[numbers] if len(numbers) else np.zeros(0, np.int64)


def _wanted(duty: DutyArrays, waiting: WaitingArrays, fit: Fit) -> DutyArrays:
    """Without the places for acute reads at readers for whom no acute read waits: nothing could be put there.

    Who has no other place then need not be weighed at all, and that is nearly everybody nearly always.
    """
    free = waiting.holder == NO_READER
    wanted = fit.eligible[:, np.unique(waiting.exam_class[waiting.acute & free])].any(axis=1)
    listed = fit.eligible[:, np.unique(waiting.exam_class[waiting.acute & ~free])].any(axis=1)
    wanted |= listed & (duty.listed == 0)  # only who has nothing on the list is given what is on another's
    return replace(duty, acute_room=np.where(wanted, duty.acute_room, duty.room))


def _fit(
    kept: Kept,
    on_duty: Sequence[ReaderOnDuty],
    readers: ReaderArrays,
    classes: ClassArrays,
    aid: AidArrays,
    tuning: Tuning,
    words: Vocabulary,
    now: datetime,
) -> Fit:
    """The matrix of before while nothing that it is made of changed."""
    scope = kept_class_scope(on_duty, words, now, kept)
    made_of = (Same(readers), Same(classes), Same(scope), aid.reads_for.tobytes(), tuning)
    fit: Fit = kept.value("fit", made_of, lambda: fit_of(readers, classes, aid, tuning, scope))
    return fit


def _barred(rows: Sequence[KeptRow], readers: Sequence[ReaderOnDuty], words: Vocabulary) -> BarredPairs:
    """Who may not have a read, and who only when nobody else can: whoever had it, or a rule would rather not have."""
    pairs = [
        (row, words.readers[reader], reader not in never)
        for row, need in ((number, kept.read.need) for number, kept in enumerate(rows) if kept.is_told_of)
        for shut_out, unwished in [_said_by_rules(need, readers)]
        for never in [need.declined_by | _who_read_it(need, readers) | shut_out]
        for reader in sorted(never | need.had_by | unwished)
        if reader in words.readers
    ]
    return BarredPairs(
        np.array([read for read, _, _ in pairs], np.int64),
        np.array([reader for _, reader, _ in pairs], np.int64),
        np.array([last for _, _, last in pairs], np.bool_),
    )


def _who_read_it(need: Need, readers: Sequence[ReaderOnDuty]) -> frozenset[str]:
    if not need.read_by:
        return frozenset()
    return frozenset(duty.reader.id for duty in readers if has_read(need.read_by, duty.reader))


def _said_by_rules(need: Need, readers: Sequence[ReaderOnDuty]) -> tuple[frozenset[str], frozenset[str]]:
    """(readers whom rules keep from the read, readers whom they do not prefer where they prefer somebody)."""
    said, people = need.directives, [duty.reader for duty in readers]
    if not (said.binds or said.prefer):
        return frozenset(), frozenset()
    shut_out = {person.id for person in people if said.reasons_against(person.id, person.employer)}
    unwished = {person.id for person in people if said.prefer and not said.wishes_for(person.id, person.employer)}
    return frozenset(shut_out), frozenset(unwished)


def _guidance(ahead: Ahead | None, reads: Sequence[PlannableRead], words: Vocabulary, kept: Kept) -> Guidance | None:
    """A read that was raised since the region was planned ahead is given up no more."""
    if ahead is None:
        return None
    tips: FloatArray = kept.value("tips", (words, Same(ahead)), lambda: _tips(ahead, words))
    given_up = [read.may_wait and not read.need.acute and read.stakes in ahead.given_up for read in reads]
    return Guidance(tips, np.array(given_up, np.bool_))


def _tips(ahead: Ahead, words: Vocabulary) -> FloatArray:
    """Readers and classes that came since are tipped nowhere."""
    readers = [(row, ahead.readers[name]) for name, row in words.readers.items() if name in ahead.readers]
    classes = [(row, ahead.classes[key]) for key, row in words.classes.items() if key in ahead.classes]
    pair = np.zeros((len(words.readers), len(words.classes)))
    if readers and classes:
        (rows, known_readers), (columns, known_classes) = zip(*readers, strict=True), zip(*classes, strict=True)
        pair[np.ix_(rows, columns)] = ahead.tips[np.ix_(known_readers, known_classes)]
    return pair


def _digest(problem: PlanningProblem, tuning: Tuning, kept: Kept) -> str:
    """SHA-256 over everything the choice depends on: of what is as it was before, the digest of before counts."""
    digest = hashlib.sha256(repr((problem.now_min, tuning)).encode())
    parts = (problem.classes, problem.waiting, problem.readers, problem.duty, problem.aid, problem.fit, problem.barred)
    for part in (*parts, *(() if problem.guidance is None else (problem.guidance,))):
        digest.update(kept.same(f"digest of {type(part).__name__}", part, _digest_of))
    return digest.hexdigest()


def _digest_of(part: "DataclassInstance") -> bytes:
    digest = hashlib.sha256()
    for field in fields(part):
        value = getattr(part, field.name)
        digest.update(field.name.encode())
        digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return digest.digest()
