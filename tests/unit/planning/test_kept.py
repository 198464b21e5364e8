"""What a planner keeps from plan to plan changes no plan: the decisions and explanations are those from nothing."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from router.model.directives import Clause, Directives, RuleHold
from router.model.reader import ReaderOnDuty
from router.model.session import RecentRead
from router.rules.planning import Ahead, Assign, InHand, Kept, PlannableRead, Snapshot, Wait, plan
from router.rules.planning.decisions import ClassKey
from router.rules.planning.index import next_choices
from router.rules.planning.mapping import mapped
from router.rules.planning.planner import STANDARD
from router.rules.planning.reader_arrays import duty_arrays
from tests.unit.planning.test_plan import BOOKS, read, readers, reads
from tests.unit.router.people import NOW, on_duty

_SAID = (
    Directives(),
    Directives(rules=("r",), require=(Clause("r", readers=("a", "b")),)),
    Directives(rules=("r",), prefer=(Clause("r", readers=("c",)),)),
    Directives(rules=("r",), holds=(RuleHold("r", "wait"),)),
)
_RUNS = tuple(RecentRead("ct_head", NOW - timedelta(minutes=60 - 10 * n), None) for n in range(3))


@st.composite
def days(draw: st.DrawFn) -> list[Snapshot]:
    """Snapshots one after the other: some objects stay the very same, some change, come and go."""
    waiting = {one.need.read_id: one for one in draw(reads())}
    people = {duty.reader.id: duty for duty in draw(readers())}
    now, found = NOW, []
    for _ in range(draw(st.integers(2, 4))):
        for name in draw(st.sets(st.sampled_from([*waiting, "new"]), max_size=4)):
            _change_read(draw, waiting, name)
        for name in draw(st.sets(st.sampled_from("abc"), max_size=2)):
            people[name] = _changed(draw, people[name])
        found.append(
            Snapshot(
                now,
                tuple(waiting.values()),
                tuple(people.values()),
                draw(BOOKS),
                tuple(InHand(name, 7.0, "ct_head") for name in draw(st.lists(st.sampled_from("abc"), max_size=4))),
                ahead=draw(aheads(waiting, now)),
            )
        )
        now += draw(st.sampled_from((timedelta(), timedelta(minutes=5), timedelta(hours=12), timedelta(days=400))))
    return found


@st.composite
def aheads(draw: st.DrawFn, waiting: dict[str, PlannableRead], now: datetime) -> Ahead | None:
    """Advice about some of the readers and classes, and about some that are gone."""
    if not draw(st.booleans()):
        return None
    keys = sorted({ClassKey.of(one.need) for one in (*waiting.values(), read("gone", exam_group="mr"))}, key=repr)
    names = draw(st.sampled_from(("ac", "cb", "bz")))
    tips = np.array(draw(st.lists(st.sampled_from((0.0, -1.5, 2.0)), min_size=2 * len(keys), max_size=2 * len(keys))))
    given_up = [one.stakes for one in waiting.values() if draw(st.booleans())]
    return Ahead(
        until=now + timedelta(hours=1),
        readers={name: row for row, name in enumerate(names)},
        classes={key: row for row, key in enumerate(keys)},
        tips=tips.reshape(2, len(keys)),
        given_up=frozenset(given_up),
    )


def _change_read(draw: st.DrawFn, waiting: dict[str, PlannableRead], name: str) -> None:
    what = draw(st.sampled_from(("gone", "later", "held", "acute", "said", "moved", "second", "raised")))
    known = waiting.pop(name, None) or read(name)
    if what == "later":
        waiting[name] = replace(known, due_at=known.due_at + timedelta(hours=3), epoch=known.epoch + 1)
    elif what == "held":
        waiting[name] = replace(known, holder=draw(st.sampled_from((None, "a", "b", "c", "gone"))))
    elif what == "acute":
        need = replace(known.need, acute=True, declined_by=frozenset(), read_by=frozenset())
        waiting[name] = replace(known, need=need, holder=draw(st.sampled_from("abc")))
    elif what == "said":
        waiting[name] = replace(known, need=replace(known.need, directives=draw(st.sampled_from(_SAID))))
    elif what == "moved":
        waiting[name] = replace(known, need=replace(known.need, exam_group=draw(st.sampled_from((None, "mr")))))
    elif what == "second":
        read_by = frozenset(draw(st.sets(st.sampled_from(("a", "c-B", "C-c")), max_size=2)))
        waiting[name] = replace(known, need=replace(known.need, read_by=read_by))
    elif what == "raised":
        waiting[name] = replace(known, weight=known.weight * 3)


def _changed(draw: st.DrawFn, duty: ReaderOnDuty) -> ReaderOnDuty:
    what = draw(st.sampled_from(("load", "speed", "credential", "session", "run", "break", "idle")))
    if what == "speed":
        return replace(duty, reader=replace(duty.reader, speeds={"ct_head": draw(st.sampled_from((0.5, 2.0)))}))
    if what == "credential":
        return replace(duty, reader=replace(duty.reader, credentials=duty.reader.credentials[:1]))
    if what == "session":
        return replace(duty, sessions=())
    if what == "run":
        reader = replace(duty.reader, max_run=draw(st.sampled_from((None, 1, 4))))
        return replace(duty, reader=reader, recent=_RUNS[: draw(st.integers(0, 3))])
    if what == "break":
        reader = replace(duty.reader, break_after_minutes=draw(st.sampled_from((None, 30, 90))))
        return replace(duty, reader=reader, recent=_RUNS[: draw(st.integers(0, 3))])
    if what == "idle":
        return on_duty(duty.reader.id)
    return replace(duty, sessions=tuple(replace(load, used_reads=load.used_reads + 2) for load in duty.sessions))


@settings(max_examples=40, deadline=None)
@given(days())
def test_a_plan_from_what_was_kept_is_the_plan_from_nothing(snapshots: list[Snapshot]) -> None:
    kept, pulled = Kept(), Kept()
    for snapshot in snapshots:
        assert plan(snapshot, kept=kept) == plan(snapshot)
        for name in "abc":
            assert plan(snapshot, pulling=name, kept=pulled) == plan(snapshot, pulling=name)


@settings(max_examples=40, deadline=None)
@given(days())
def test_places_for_acute_reads_that_nobody_offers_would_have_been_given_to_nobody(snapshots: list[Snapshot]) -> None:
    for snapshot in snapshots:
        arrays = mapped(snapshot, STANDARD)
        every_place = duty_arrays(arrays.readers, arrays.reads, arrays.words, snapshot, None)
        offered = next_choices(arrays.problem, STANDARD)
        all_places = next_choices(replace(arrays.problem, duty=every_place), STANDARD)
        for one, other in ((offered.read, all_places.read), (offered.reader, all_places.reader)):
            assert one.tolist() == other.tolist()
        assert offered.moved_from.tolist() == all_places.moved_from.tolist()


def test_an_acute_read_that_came_to_a_busy_list_moves_from_what_was_kept() -> None:
    kept, busy = Kept(), (InHand("a", 7.0), InHand("a", 7.0))
    people, listed = (on_duty("a"), on_duty("b")), replace(read("acute"), holder="a", due_at=NOW + timedelta(days=9))
    assert plan(Snapshot(NOW, (listed,), people, in_hand=busy), kept=kept) == ()
    acute = replace(listed, need=replace(listed.need, acute=True))
    (moved,) = plan(Snapshot(NOW, (acute,), people, in_hand=busy), kept=kept)
    assert isinstance(moved, Assign)
    assert (moved.reader_id, moved.moved_from) == ("b", "a")


def test_an_acute_read_moves_to_an_idle_reader_whose_break_is_due() -> None:
    busy = (InHand("a", 7.0), InHand("a", 7.0))
    read_long = (RecentRead("ct_head", NOW - timedelta(minutes=60), NOW - timedelta(minutes=1)),)
    rests = replace(on_duty("b", break_after_minutes=30), recent=read_long)
    listed = replace(read("acute", acute=True), holder="a")
    (moved,) = plan(Snapshot(NOW, (listed,), (on_duty("a"), rests), in_hand=busy), kept=Kept())
    assert isinstance(moved, Assign)
    assert (moved.reader_id, moved.moved_from) == ("b", "a")


def test_reads_that_wait_alike_are_told_apart_where_one_makes_room() -> None:
    alike = (read("r1"), read("r2"))
    ahead = Ahead(NOW + timedelta(hours=1), {}, {}, np.zeros((0, 0)), frozenset({alike[1].stakes}))
    waits = plan(Snapshot(NOW, alike, (on_duty("a", used=10),), ahead=ahead), kept=Kept())
    assert [isinstance(wait, Wait) and wait.explanation.given_up for wait in waits] == [False, True]


def test_the_digest_of_the_inputs_tells_a_change_that_decides_nothing() -> None:
    kept, reads_ = Kept(), (read("r1"), read("r2", 30.0))
    duties = tuple(on_duty(name) for name in "ab")
    digests = []
    for hours in (30.0, 30.0, 31.0):
        snapshot = Snapshot(NOW, (reads_[0], read("r2", hours)), duties)
        digests.append({d.explanation.inputs for d in plan(snapshot, kept=kept) if isinstance(d, Assign)})
    assert [len(digest) for digest in digests] == [1, 1, 1]
    assert digests[0] == digests[1] != digests[2]
