"""What a planner keeps from plan to plan changes no plan: the decisions and explanations are those from nothing."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from router.model.directives import Clause, Directives, RuleHold
from router.model.reader import ReaderOnDuty
from router.rules.planning import Ahead, Assign, Kept, PlannableRead, Snapshot, plan
from router.rules.planning.decisions import ClassKey
from tests.unit.planning.test_plan import BOOKS, read, readers, reads
from tests.unit.router.people import NOW, on_duty

_SAID = (
    Directives(),
    Directives(rules=("r",), require=(Clause("r", readers=("a", "b")),)),
    Directives(rules=("r",), prefer=(Clause("r", readers=("c",)),)),
    Directives(rules=("r",), holds=(RuleHold("r", "wait"),)),
)


@st.composite
def days(draw: st.DrawFn) -> list[Snapshot]:
    """Snapshots one after the other: some objects stay the very same, some change, come and go."""
    first = draw(reads())
    waiting = {one.need.read_id: one for one in first}
    people = {duty.reader.id: duty for duty in draw(readers())}
    now, found = NOW, []
    for _ in range(draw(st.integers(2, 4))):
        found.append(
            Snapshot(
                now, tuple(waiting.values()), tuple(people.values()), draw(BOOKS), ahead=draw(aheads(waiting, now))
            )
        )
        for name in draw(st.sets(st.sampled_from([*waiting, "new"]), max_size=3)):
            _change_read(draw, waiting, name)
        for name in draw(st.sets(st.sampled_from("abc"), max_size=2)):
            people[name] = _changed(draw, people[name])
        now += draw(st.sampled_from((timedelta(), timedelta(minutes=5), timedelta(hours=12), timedelta(days=400))))
    return found


@st.composite
def aheads(draw: st.DrawFn, waiting: dict[str, PlannableRead], now: datetime) -> Ahead | None:
    keys = sorted({ClassKey.of(one.need) for one in waiting.values()}, key=repr)
    if not keys or not draw(st.booleans()):
        return None
    pairs = draw(st.sets(st.tuples(st.sampled_from("abc"), st.sampled_from(keys)), max_size=2))
    return Ahead(now + timedelta(hours=1), frozenset(pairs), {(keys[0], None): now + timedelta(hours=9)})


def _change_read(draw: st.DrawFn, waiting: dict[str, PlannableRead], name: str) -> None:
    what = draw(st.sampled_from(("gone", "later", "held", "said", "moved")))
    known = waiting.pop(name, None) or read(name)
    if what == "later":
        waiting[name] = replace(known, due_at=known.due_at + timedelta(hours=3), epoch=known.epoch + 1)
    elif what == "held":
        waiting[name] = replace(known, holder=draw(st.sampled_from("abc")))
    elif what == "said":
        waiting[name] = replace(known, need=replace(known.need, directives=draw(st.sampled_from(_SAID))))
    elif what == "moved":
        waiting[name] = replace(known, need=replace(known.need, exam_group=draw(st.sampled_from((None, "mr")))))


def _changed(draw: st.DrawFn, duty: ReaderOnDuty) -> ReaderOnDuty:
    what = draw(st.sampled_from(("load", "speed", "credential", "session")))
    if what == "speed":
        return replace(duty, reader=replace(duty.reader, speeds={"ct_head": draw(st.sampled_from((0.5, 2.0)))}))
    if what == "credential":
        return replace(duty, reader=replace(duty.reader, credentials=duty.reader.credentials[:1]))
    if what == "session":
        return replace(duty, sessions=())
    return replace(duty, sessions=tuple(replace(load, used_reads=load.used_reads + 2) for load in duty.sessions))


@settings(max_examples=60, deadline=None)
@given(days())
def test_a_plan_from_what_was_kept_is_the_plan_from_nothing(snapshots: list[Snapshot]) -> None:
    kept = Kept()
    for snapshot in snapshots:
        assert plan(snapshot, kept=kept) == plan(snapshot)


def test_the_digest_of_the_inputs_tells_a_change_that_decides_nothing() -> None:
    kept, reads_ = Kept(), (read("r1"), read("r2", 30.0))
    duties = tuple(on_duty(name) for name in "ab")
    digests = []
    for hours in (30.0, 30.0, 31.0):
        snapshot = Snapshot(NOW, (reads_[0], read("r2", hours)), duties)
        digests.append({d.explanation.inputs for d in plan(snapshot, kept=kept) if isinstance(d, Assign)})
    assert [len(digest) for digest in digests] == [1, 1, 1]
    assert digests[0] == digests[1] != digests[2]
