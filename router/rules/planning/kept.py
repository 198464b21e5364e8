"""What stays the same from one plan to the next, so that a plan costs what changed and not what there is.

Kept by identity: a read, reader or duty that is the same object as before is not looked at again. A plan with nothing
kept is made by the same code, and is the same to the last bit (a test compares the two).
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import numpy as np

from router.rules.eligibility import Need
from router.rules.planning.arrays import FloatArray, IntArray
from router.rules.planning.decisions import ClassKey, PlannableRead, Snapshot
from router.rules.planning.vocabulary import Vocabulary, minute_of, vocabulary_of

_Value = TypeVar("_Value")
_Part = TypeVar("_Part")
_CLASS, _WEIGHT, _ACUTE, _MAY_WAIT, _ARRIVED, _DUE, _MINUTES, _COLUMNS = range(8)
_SLOTS = 1024
_GONE_AT_MOST = 4096
"""Rows of reads that are gone are kept until there are more than these and than those that wait."""


@dataclass(frozen=True, slots=True)
class KeptRow:
    """Where a read's numbers stand; `anybody` is its need without its name: one object for all that are alike.

    `is_told_of` when somebody may be barred from it by what happened or by a rule.
    """

    read: PlannableRead
    slot: int
    anybody: Need
    is_told_of: bool


@dataclass(frozen=True, slots=True)
class Columns:
    """Waiting reads as they were numbered first; the vocabulary says what a class is numbered now."""

    exam_class: IntArray
    weight: FloatArray
    acute: FloatArray
    may_wait: FloatArray
    arrived_min: FloatArray
    due_min: FloatArray
    expected_minutes: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Same:
    """Equal only where it holds the very same object: for arrays, which are never changed."""

    of: object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.of is other.of

    def __hash__(self) -> int:
        return id(self.of)


class Kept:
    """Belongs to one planner. Without it, or with an empty one, everything is worked out from the snapshot."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[Any, Any]] = {}
        self._begin_rows()

    def _begin_rows(self) -> None:
        self._rows: dict[str, KeptRow] = {}
        self._numbers = np.zeros((_SLOTS, _COLUMNS))
        self._used = 0
        self.classes: dict[ClassKey, int] = {}
        self._needs: dict[Need, Need] = {}

    def rows(self, reads: Sequence[PlannableRead]) -> list[KeptRow]:
        """The row of each read."""
        if len(self._rows) > max(_GONE_AT_MOST, 2 * len(reads)):
            self._begin_rows()
        known, rows = self._rows, []
        for read in reads:
            row = known.get(read.need.read_id)
            if row is None or row.read is not read:
                row = known[read.need.read_id] = self._row(read, row)
            rows.append(row)
        return rows

    def columns(self, rows: Sequence[KeptRow]) -> Columns:
        """The rows' numbers."""
        slots = np.fromiter((row.slot for row in rows), np.int64, len(rows))
        numbers = np.ascontiguousarray(self._numbers[slots].T)
        return Columns(
            numbers[_CLASS].astype(np.int64),
            numbers[_WEIGHT],
            numbers[_ACUTE],
            numbers[_MAY_WAIT],
            numbers[_ARRIVED],
            numbers[_DUE],
            numbers[_MINUTES],
        )

    def words(self, snapshot: Snapshot, columns: Columns, expected: Sequence[PlannableRead]) -> Vocabulary:
        """What the rows mean."""
        keys = list(self.classes)
        named = {keys[number] for number in np.unique(columns.exam_class)}
        named |= {ClassKey.of(read.need) for read in expected}
        people = tuple(duty.reader for duty in snapshot.readers)
        groups = {key.exam_group for key in named} | {held.exam_group for held in snapshot.in_hand}
        parts = (named, people, groups, set(snapshot.aid.limits))
        words: Vocabulary = self.value(
            "words", parts, lambda: vocabulary_of(named, people, groups, snapshot.aid.limits)
        )
        return words

    def value(self, name: str, made_of: object, make: Callable[[], Any]) -> Any:
        """What was made of equal things before, or else what `make` gives."""
        known = self._values.get(name)
        if known is None or known[0] != made_of:
            known = self._values[name] = (made_of, make())
        return known[1]

    def same(self, name: str, made_of: _Part, make: Callable[[_Part], _Value]) -> _Value:
        """What was made of the very same object before, or else what `make` gives."""
        return cast(_Value, self.value(name, Same(made_of), lambda: make(made_of)))

    def _row(self, read: PlannableRead, before: KeptRow | None) -> KeptRow:
        need, slot = read.need, self._used if before is None else before.slot
        if before is None:
            self._used += 1
        if slot == len(self._numbers):
            self._numbers = np.concatenate([self._numbers, np.zeros_like(self._numbers)])
        self._numbers[slot] = (
            _number(self.classes, ClassKey.of(need)),
            read.weight,
            need.acute,
            read.may_wait,
            minute_of(read.arrived_at or read.due_at),
            minute_of(read.due_at),
            need.expected_minutes,
        )
        anybody = replace(need, read_id="")
        said = need.directives
        told = need.declined_by or need.read_by or need.had_by or said.binds or said.prefer
        return KeptRow(read, slot, self._needs.setdefault(anybody, anybody), bool(told))


def _number(numbers: dict[Any, int], key: Hashable) -> int:
    return numbers.setdefault(key, len(numbers))
