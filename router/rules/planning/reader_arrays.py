"""Readers and what they are doing now, from the domain's objects to arrays."""

from bisect import bisect_right
from collections.abc import Hashable, Sequence
from datetime import datetime
from typing import TypeVar

import numpy as np

from router.model.reader import DeliveryMode, Profession, Reader, ReaderOnDuty
from router.model.session import SessionLoad
from router.rules.planning.arrays import SESSION_KINDS, BoolArray, DutyArrays, FloatArray, IntArray, ReaderArrays
from router.rules.planning.decisions import InHand, PlannableRead, Snapshot
from router.rules.planning.kept import Kept
from router.rules.planning.vocabulary import Vocabulary, minute_of
from router.rules.reading_rhythm import is_break_due, run_of

_Value = TypeVar("_Value", bound=Hashable)
_NO_LIMIT = 10_000
"""Room of a session that counts minutes: longer than any list."""


def kept_reader_arrays(on_duty: Sequence[ReaderOnDuty], words: Vocabulary, now: datetime, kept: Kept) -> ReaderArrays:
    """Those of before while the readers are the same and no credential begins or ends."""
    people = tuple(duty.reader for duty in on_duty)
    named = (words.trusts, words.subspecialties, words.groups)
    found: ReaderArrays = kept.value(
        "readers", (people, named, credential_epoch(people, now, kept)), lambda: reader_arrays(on_duty, words, now)
    )
    return found


def credential_epoch(people: tuple[Reader, ...], now: datetime, kept: Kept) -> int:
    """The same number while these readers are the same and no credential of theirs begins or ends."""
    moments: _Moments = kept.value("credentials", people, lambda: _Moments(people))
    return moments.passed(now)


class _Moments:
    """The moments at which a credential of these readers begins or ends."""

    def __init__(self, people: Sequence[Reader]) -> None:
        held = [credential for person in people for credential in person.credentials]
        moments = {at for c in held for at in (c.valid_from, c.valid_until, c.revoked_at) if at is not None}
        self._moments = sorted(moments)

    def passed(self, now: datetime) -> int:
        """How many of them are over."""
        return bisect_right(self._moments, now)


def kept_class_scope(on_duty: Sequence[ReaderOnDuty], words: Vocabulary, now: datetime, kept: Kept) -> BoolArray:
    """That of before while readers, classes and the kinds of open sessions are the same."""
    people = tuple(duty.reader for duty in on_duty)
    kinds = tuple(frozenset(load.session.kind for load in open_loads(duty, now)) for duty in on_duty)
    found: BoolArray = kept.value("scope", (people, kinds, words), lambda: class_scope(on_duty, words, now))
    return found


def reader_arrays(on_duty: Sequence[ReaderOnDuty], words: Vocabulary, now: datetime) -> ReaderArrays:
    """Credentials as they hold now; scope is left to `class_scope`."""
    shape = (len(on_duty), len(words.trusts))
    level = np.zeros((len(on_duty), max(len(words.subspecialties), 1)), np.int64)
    credential = np.zeros(shape, np.bool_)
    speed = np.ones((len(on_duty), max(len(words.groups), 1)))
    for row, reader in enumerate(duty.reader for duty in on_duty):
        for name, value in reader.levels.items():
            if name in words.subspecialties:
                level[row, words.subspecialties[name]] = int(value)
        for held in reader.credentials if reader.active else ():
            if held.trust in words.trusts and held.holds(held.trust, now):
                credential[row, words.trusts[held.trust]] = True
        for group in reader.speeds:
            if group in words.groups:
                speed[row, words.groups[group]] = 1.0 / reader.minutes_for(1.0, group)
    return ReaderArrays(
        number=np.arange(len(on_duty)),
        employer=np.array([words.trusts[duty.reader.employer] for duty in on_duty], np.int64),
        level=level,
        credential=credential,
        scope=np.ones((len(on_duty), speed.shape[1]), np.bool_),
        speed=speed,
        price=np.array([_price(duty) for duty in on_duty], np.float64),
    )


def class_scope(on_duty: Sequence[ReaderOnDuty], words: Vocabulary, now: datetime) -> BoolArray:
    """Modality, exam scope and kind of session: (R, C), each part worked out once for what is alike."""
    classes = list(words.classes)
    allowed = np.ones((len(on_duty), len(classes)), np.bool_)
    if not classes:
        return allowed
    modalities, of_modality = _distinct([key.modalities for key in classes])
    exams, of_exam = _distinct([(key.exam_code, key.exam_group) for key in classes])
    kinds, of_kind = _distinct([key.session_kinds for key in classes])
    alike: dict[Hashable, BoolArray] = {}
    for row, duty in enumerate(on_duty):
        reader = duty.reader
        open_kinds = frozenset(load.session.kind for load in open_loads(duty, now))
        key = (reader.modalities, reader.exam_scope, reader.profession, open_kinds)
        if key not in alike:
            shown = np.array([asked <= reader.modalities for asked in modalities])
            may = np.array([_may_read(reader, exam) for exam in exams])
            there = np.array([not asked or bool(asked & open_kinds) for asked in kinds])
            alike[key] = shown[of_modality] & may[of_exam] & there[of_kind]
        allowed[row] = alike[key]
    return allowed


def duty_arrays(
    on_duty: Sequence[ReaderOnDuty],
    reads: Sequence[PlannableRead],
    words: Vocabulary,
    snapshot: Snapshot,
    pulling: str | None,
) -> DutyArrays:
    """`pulling` is the one reader who asks for the next read; then nobody else is given any."""
    now = snapshot.now
    listed, busy = _lists(on_duty, reads, snapshot.in_hand, words)
    sessions = [main_load(duty, now) for duty in on_duty]
    present = np.array([_is_present(duty, now) for duty in on_duty], np.bool_)
    ends = [now if load is None else load.session.ends_at for load in sessions]
    places = np.array([_places(load) for load in sessions], np.int64)
    asks = np.array([duty.reader.id == pulling for duty in on_duty], np.bool_)
    most = np.array([_list_length(duty, snapshot) for duty in on_duty], np.int64)
    given = np.array([d.reader.id == pulling or (pulling is None and _is_pushed(d)) for d in on_duty], np.bool_)
    resting = ~asks & np.array([is_break_due(duty.reader, duty.recent, now) for duty in on_duty], np.bool_)
    runs = [run_of(duty.reader, duty.recent) for duty in on_duty]
    run_left = np.array([left for _, left in runs], np.int64)
    outside = np.array([duty.reader.outsourcer is not None for duty in on_duty], np.bool_)
    before = np.where(outside, [duty.waiting_reads for duty in on_duty], listed)
    more = np.where(outside, 0, snapshot.lists.acute_more)
    most, more = np.where(asks, before + 1, most), np.where(asks, 0, more)
    # No more in one round than the run allows: the next round knows what this one gave out.
    places_now = np.minimum(places, np.maximum(run_left, 1))
    room = np.where(given & ~resting, np.clip(np.minimum(most - before, places_now), 0, None), 0)
    acute_room = np.where(given, np.clip(np.minimum(most + more - before, places), 0, None), 0)
    return DutyArrays(
        on_duty=present,
        session_kind=np.array([0 if s is None else SESSION_KINDS.index(s.session.kind) for s in sessions], np.int64),
        session_end_min=np.array([minute_of(end) for end in ends]),
        minutes_left=np.array([_minutes_left(load) for load in sessions]),
        free_in_min=busy,
        listed=listed,
        room=room,
        acute_room=acute_room,
        load=np.array([_load(load) for load in sessions]),
        run_group=np.array([-1 if group is None else words.groups.get(group, -1) for group, _ in runs], np.int64),
        run_left=run_left,
    )


def open_loads(duty: ReaderOnDuty, now: datetime) -> list[SessionLoad]:
    """The reader's sessions that are open."""
    return [load for load in duty.sessions if load.session.is_open(now)]


def main_load(duty: ReaderOnDuty, now: datetime) -> SessionLoad | None:
    """Of several open sessions the one with most room."""
    loads = open_loads(duty, now)
    return max(loads, key=lambda load: (load.minutes_left(1.0), load.session.id), default=None)


def _distinct(values: Sequence[_Value]) -> tuple[list[_Value], IntArray]:
    numbers: dict[_Value, int] = {}
    of = np.array([numbers.setdefault(value, len(numbers)) for value in values], np.int64)
    return list(numbers), of


def _may_read(reader: Reader, exam: tuple[str | None, str | None]) -> bool:
    if reader.exam_scope is None:
        return reader.profession is not Profession.REPORTING_RADIOGRAPHER
    return reader.may_read_exam(*exam)


def _lists(
    on_duty: Sequence[ReaderOnDuty], reads: Sequence[PlannableRead], in_hand: Sequence[InHand], words: Vocabulary
) -> tuple[IntArray, FloatArray]:
    """How many reads each reader has before a new one, and how many of its own minutes they take."""
    listed, busy = np.zeros(len(on_duty), np.int64), np.zeros(len(on_duty))
    on_lists = [(r.holder, r.need.expected_minutes, r.need.exam_group) for r in reads if r.holder is not None]
    for reader_id, minutes, group in on_lists + [(h.reader_id, h.expected_minutes, h.exam_group) for h in in_hand]:
        row = words.readers.get(reader_id)
        if row is not None:
            listed[row] += 1
            busy[row] += on_duty[row].reader.minutes_for(minutes, group)
    return listed, busy


def _is_present(duty: ReaderOnDuty, now: datetime) -> bool:
    shown_until = duty.reader.display_valid_until
    fit = shown_until is None or shown_until > now
    return (
        duty.reader.active
        and fit
        and bool(open_loads(duty, now))
        and not any(leave.covers(now) for leave in duty.leave)
    )


def _list_length(duty: ReaderOnDuty, snapshot: Snapshot) -> int:
    if duty.reader.outsourcer is not None:
        return duty.reader.outsourcer.queue_limit
    return snapshot.lists.reads


def _is_pushed(duty: ReaderOnDuty) -> bool:
    return duty.reader.delivery is DeliveryMode.PUSH


def _price(duty: ReaderOnDuty) -> float:
    """Pounds for a read."""
    return 0.0 if duty.reader.outsourcer is None else duty.reader.outsourcer.price_pence_per_read / 100.0


def _places(load: SessionLoad | None) -> int:
    if load is None:
        return 0
    capacity = load.session.capacity_reads
    return _NO_LIMIT if capacity is None else max(capacity - load.used_reads, 0)


def _minutes_left(load: SessionLoad | None) -> float:
    if load is None:
        return 0.0
    capacity = load.capacity_minutes
    return np.inf if capacity is None else capacity - load.used_minutes


def _load(load: SessionLoad | None) -> float:
    """Share of the session that is used."""
    if load is None:
        return 1.0
    if load.capacity_minutes is not None:
        return load.used_minutes / load.capacity_minutes
    return load.used_reads / max(load.session.capacity_reads or 0, 1)
