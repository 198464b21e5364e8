"""The plain planner that compares two sets of rules, and the rows of the comparison."""

from dataclasses import replace
from datetime import datetime, timedelta

from router.model.directives import Clause, Directives, RuleHold
from router.model.reader import Reader
from router.model.session import Session
from router.rules.routing_rules.comparing import Change, RoutedStudy, changes_between, counted, differences
from router.rules.routing_rules.expected_load import ExpectedLoad, ReaderLoad, expected_load
from router.rules.study_routing import Routed
from tests.unit.router.people import NOW, reader
from tests.unit.router.routing_rules.rule_texts import a_study

END = NOW + timedelta(hours=8)


def waits(number: int = 1, at: datetime = NOW, due_in: int = 60, **changes: object) -> RoutedStudy:
    values = {"minutes": 10.0, "directives": Directives(), **changes}
    routed = Routed(("CT",), "neuro", values["minutes"], "urgent", at + timedelta(minutes=due_in))  # type: ignore[arg-type]
    made = replace(a_study(), study_instance_uid=f"1.2.{number}")
    return RoutedStudy(at, made, replace(routed, directives=values["directives"]))  # type: ignore[arg-type]


def session(name: str, minutes: float = 600.0, hours: int = 8) -> Session:
    return Session(f"s-{name}", name, NOW, NOW + timedelta(hours=hours), capacity_minutes=minutes)


def load_of(reads: list[RoutedStudy], *people: tuple[Reader, Session]) -> ExpectedLoad:
    return expected_load(reads, [who for who, _ in people], [booked for _, booked in people], END)


def test_reads_are_spread_over_those_with_most_room_and_counted_as_aid() -> None:
    reads = [waits(number) for number in range(4)]
    load = load_of(reads, (reader("a"), session("a")), (reader("b", employer="RXN"), session("b")))
    assert load.readers == {"a": ReaderLoad(2, 20.0), "b": ReaderLoad(2, 20.0)}
    assert load.aid_minutes == {("RXL", "RXN"): 20.0}
    assert sorted(load.read_by.values()) == ["a", "a", "b", "b"]
    assert sorted(load.read_by) == ["1.2.0", "1.2.1", "1.2.2", "1.2.3"]
    assert (load.held, load.unread, load.late) == (0, 0, {})


def test_what_one_reader_cannot_end_in_time_is_late_and_earliest_due_goes_first() -> None:
    reads = [waits(1, due_in=45), waits(2, due_in=15), waits(3, due_in=25), waits(4, due_in=35)]
    assert load_of(reads, (reader("a"), session("a"))).late == {}
    assert load_of([*reads, waits(5, due_in=44)], (reader("a"), session("a"))).late == {"urgent": 1}


def test_full_sessions_leave_reads_unread_and_late_at_the_end() -> None:
    load = load_of([waits(1), waits(2, due_in=60_000)], (reader("a"), session("a", minutes=10.0)))
    assert (load.unread, load.readers["a"].reads, load.late) == (1, 1, {})
    nobody = load_of([waits(1), waits(2)], (reader("a", subspecialties=frozenset()), session("a")))
    assert (nobody.unread, nobody.late) == (2, {"urgent": 2})


def test_directives_are_honoured() -> None:
    people = (reader("a"), session("a")), (reader("b", employer="RXN"), session("b"))
    require = Directives(require=(Clause("r", (), ("RXN",)),))
    assert load_of([waits(n, directives=require) for n in range(4)], *people).readers["b"].reads == 4
    prefer = Directives(prefer=(Clause("r", ("a",)),))
    assert load_of([waits(n, directives=prefer) for n in range(2)], *people).readers["a"].reads == 2
    held = load_of([waits(1, directives=Directives(holds=(RuleHold("r", "x"),)))], *people)
    assert (held.held, held.unread, held.readers["a"].reads) == (1, 0, 0)


def test_what_differs_is_told_and_counted() -> None:
    before = [waits(1), waits(2), waits(3)]
    said = Directives(rules=("r",), pathway="stroke", exclude=(Clause("r", ("x",), ("RXL",)),))
    after = [
        replace(one, routed=replace(one.routed, priority="emergency", due_at=one.at, directives=said))
        for one in before[:2]
    ] + before[2:]
    assert changes_between(before[0].routed, after[0].routed) == (
        Change("priority", "urgent", "emergency"),
        Change("pathway", "-", "stroke"),
        Change("due", "2026-11-02 10:00", "2026-11-02 09:00"),
        Change("excluded", "-", "RXL, x"),
    )
    found = differences(before, after)
    assert [(one.study.study_instance_uid, one.rules) for one in found] == [("1.2.1", ("r",)), ("1.2.2", ("r",))]
    assert (Change("due", "as before", "sooner"), 2) in counted(found)
    assert {studies for _, studies in counted(found)} == {2}
