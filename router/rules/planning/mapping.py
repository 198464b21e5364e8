"""One snapshot of the domain's objects as the planner's problem, and the way back from rows to objects."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from router.model.reader import ReaderOnDuty
from router.rules.eligibility import Need, has_read
from router.rules.planning.aid_arrays import aid_arrays
from router.rules.planning.arrays import NO_READER, BarredPairs, ClassArrays, Guidance, PlanningProblem, WaitingArrays
from router.rules.planning.decisions import Ahead, ClassKey, PlannableRead, Snapshot
from router.rules.planning.fit import fit_of
from router.rules.planning.reader_arrays import class_scope, duty_arrays, reader_arrays
from router.rules.planning.tuning import Tuning
from router.rules.planning.vocabulary import Vocabulary, minute_of, vocabulary_of


@dataclass(frozen=True, slots=True)
class Mapped:
    """`reads` and `readers` are the rows' objects."""

    problem: PlanningProblem
    reads: tuple[PlannableRead, ...]
    readers: tuple[ReaderOnDuty, ...]
    words: Vocabulary
    digest: str


def mapped(
    snapshot: Snapshot, tuning: Tuning, pulling: str | None = None, expected: Sequence[PlannableRead] = ()
) -> Mapped:
    """Rows in the order of ids; `pulling` asks for its next read, and nobody else is given any.

    Classes and pathways of the `expected` reads are numbered too; nothing else is made of them.
    """
    words = vocabulary_of(snapshot, expected)
    reads = tuple(sorted(snapshot.reads, key=lambda read: read.need.read_id))
    readers = tuple(sorted(snapshot.readers, key=lambda duty: duty.reader.id))
    people, classes = reader_arrays(readers, words, snapshot.now), _classes(words)
    aid = aid_arrays(snapshot.aid, words)
    problem = PlanningProblem(
        now_min=minute_of(snapshot.now),
        classes=classes,
        waiting=_waiting(reads, words),
        readers=people,
        duty=duty_arrays(readers, reads, words, snapshot, pulling),
        aid=aid,
        fit=fit_of(people, classes, aid, tuning, class_scope(readers, words, snapshot.now)),
        barred=_barred(reads, readers, words),
        guidance=None if snapshot.ahead is None else _guidance(snapshot.ahead, reads, words),
    )
    return Mapped(problem, reads, readers, words, _digest(problem, tuning))


def _classes(words: Vocabulary) -> ClassArrays:
    keys = list(words.classes)
    return ClassArrays(
        origin=np.array([words.trusts[key.origin] for key in keys], np.int64),
        group=np.array([words.groups[key.exam_group] for key in keys], np.int64),
        subspecialty=np.array([words.subspecialties[key.subspecialty] for key in keys], np.int64),
        minimum_level=np.array([int(key.minimum_level) for key in keys], np.int64),
    )


def _waiting(reads: Sequence[PlannableRead], words: Vocabulary) -> WaitingArrays:
    needs = [read.need for read in reads]
    holders = [NO_READER if r.holder is None else words.readers.get(r.holder, NO_READER) for r in reads]
    return WaitingArrays(
        number=np.arange(len(reads)),
        exam_class=np.array([words.classes[ClassKey.of(need)] for need in needs], np.int64),
        pathway=np.array([words.pathways[need.pathway] for need in needs], np.int64),
        weight=np.array([read.weight for read in reads], np.float64),
        acute=np.array([need.acute for need in needs], np.bool_),
        arrived_min=np.array([minute_of(read.arrived_at or read.due_at) for read in reads], np.float64),
        due_min=np.array([minute_of(read.due_at) for read in reads], np.float64),
        expected_minutes=np.array([need.expected_minutes for need in needs], np.float64),
        holder=np.array(holders, np.int64),
    )


def _barred(reads: Sequence[PlannableRead], readers: Sequence[ReaderOnDuty], words: Vocabulary) -> BarredPairs:
    """Who may not have a read, and who only when nobody else can: whoever had it, or a rule would rather not have."""
    pairs = [
        (row, words.readers[reader], reader not in never)
        for row, need in enumerate(read.need for read in reads)
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


def _guidance(ahead: Ahead, reads: Sequence[PlannableRead], words: Vocabulary) -> Guidance:
    """Readers and classes that came since are tipped nowhere; a read that was raised since is given up no more."""
    readers = [(row, ahead.readers[name]) for name, row in words.readers.items() if name in ahead.readers]
    classes = [(row, ahead.classes[key]) for key, row in words.classes.items() if key in ahead.classes]
    pair = np.zeros((len(words.readers), len(words.classes)))
    if readers and classes:
        (rows, known_readers), (columns, known_classes) = zip(*readers, strict=True), zip(*classes, strict=True)
        pair[np.ix_(rows, columns)] = ahead.tips[np.ix_(known_readers, known_classes)]
    given_up = [not read.need.acute and read.stakes in ahead.given_up for read in reads]
    return Guidance(pair, np.array(given_up, np.bool_))


def _digest(problem: PlanningProblem, tuning: Tuning) -> str:
    """SHA-256 over everything the choice depends on."""
    digest = hashlib.sha256(repr((problem.now_min, tuning)).encode())
    parts = (problem.classes, problem.waiting, problem.readers, problem.duty, problem.aid, problem.fit, problem.barred)
    for part in (*parts, *(() if problem.guidance is None else (problem.guidance,))):
        for field in fields(part):
            value = getattr(part, field.name)
            digest.update(field.name.encode())
            digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return digest.hexdigest()
