"""The transition table of a read's life keeps its own two rules."""

import pytest

from router.config import Router
from router.model.errors import TransitionRefused
from router.model.read import LEASED, SIGNED, ReadState
from router.rules.read_states import ENDS, STATES, TRANSITIONS, Actor, Event, transition

_LEAVING = {row.event for row in TRANSITIONS}


def test_every_state_has_a_policy_and_every_event_a_row() -> None:
    assert set(STATES) == set(ReadState)
    assert set(Event) == _LEAVING


@pytest.mark.parametrize("state", sorted(set(ReadState) - ENDS))
def test_a_state_that_is_not_an_end_has_an_owner_a_timeout_and_a_way_out(state: ReadState) -> None:
    policy = STATES[state]
    assert policy.owner != "nobody"
    assert policy.timeout in Router.model_fields
    assert any(state in row.sources and row.target is not state for row in TRANSITIONS)


@pytest.mark.parametrize("state", sorted(ENDS))
def test_nothing_leaves_an_end_but_a_further_version_of_a_closed_report(state: ReadState) -> None:
    assert STATES[state].timeout is None
    leaving = {row.event for row in TRANSITIONS if state in row.sources}
    assert leaving == ({Event.AMEND} if state is ReadState.CLOSED else set())


@pytest.mark.parametrize("state", sorted(set(ReadState) - {ReadState.RECEIVED}))
def test_every_state_can_be_reached(state: ReadState) -> None:
    assert any(row.target is state for row in TRANSITIONS)


def test_an_event_leaves_a_state_by_one_row_only() -> None:
    pairs = [(row.event, source) for row in TRANSITIONS for source in row.sources]
    assert len(pairs) == len(set(pairs))


def test_a_change_by_the_clock_is_the_timeout_of_its_state() -> None:
    for row in TRANSITIONS:
        if row.who == {Actor.CLOCK}:
            assert all(STATES[source].on_timeout is row.event for source in row.sources)


def test_a_signed_read_never_goes_back() -> None:
    assert all(row.target in SIGNED for row in TRANSITIONS if row.sources & SIGNED)


def test_only_a_leased_read_is_reported() -> None:
    sources = {s for row in TRANSITIONS if row.event in {Event.REPORT, Event.VERIFY} for s in row.sources}
    assert sources == LEASED


@pytest.mark.parametrize(
    ("state", "event", "actor", "target"),
    [
        (ReadState.RECEIVED, Event.ROUTE, Actor.ROUTER, ReadState.READY),
        (ReadState.READY, Event.ASSIGN, Actor.PLANNER, ReadState.ASSIGNED),
        (ReadState.ASSIGNED, Event.CLAIM, Actor.READER, ReadState.READING),
        (ReadState.READING, Event.HOLD, Actor.READER, ReadState.ON_HOLD),
        (ReadState.ON_HOLD, Event.RESUME, Actor.READER, ReadState.READING),
        (ReadState.READING, Event.REPORT, Actor.READER, ReadState.PRELIMINARY),
        (ReadState.PRELIMINARY, Event.VERIFY, Actor.READER, ReadState.VERIFIED),
        (ReadState.VERIFIED, Event.ACKNOWLEDGE, Actor.ORIGIN, ReadState.DELIVERED),
        (ReadState.DELIVERED, Event.FILE, Actor.ORIGIN, ReadState.CLOSED),
        (ReadState.ASSIGNED, Event.LAPSE, Actor.CLOCK, ReadState.READY),
        (ReadState.READING, Event.LOSE, Actor.CLOCK, ReadState.READY),
        (ReadState.READING, Event.SUPERSEDE, Actor.NODE, ReadState.SUPERSEDED),
        (ReadState.VERIFIED, Event.AMEND, Actor.READER, ReadState.VERIFIED),
        (ReadState.CLOSED, Event.AMEND, Actor.COORDINATOR, ReadState.VERIFIED),
    ],
)
def test_the_way_of_a_read(state: ReadState, event: Event, actor: Actor, target: ReadState) -> None:
    assert transition(state, event, actor).target is target


@pytest.mark.parametrize(
    ("state", "event", "actor", "why"),
    [
        (ReadState.READING, Event.CLAIM, Actor.READER, "expected ASSIGNED or READY"),
        (ReadState.VERIFIED, Event.VERIFY, Actor.READER, "the read is VERIFIED"),
        (ReadState.CLOSED, Event.CANCEL, Actor.COORDINATOR, "the read is CLOSED"),
        (ReadState.VERIFIED, Event.ACKNOWLEDGE, Actor.READER, "only for origin"),
        (ReadState.READY, Event.ASSIGN, Actor.READER, "only for planner"),
    ],
)
def test_what_the_table_does_not_hold_is_refused(state: ReadState, event: Event, actor: Actor, why: str) -> None:
    with pytest.raises(TransitionRefused, match=why):
        transition(state, event, actor)
