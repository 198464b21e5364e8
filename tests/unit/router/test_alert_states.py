"""The transition table of an alert's life keeps its own two rules."""

import pytest

from router.model.alert import UNANSWERED, AlertState
from router.model.errors import TransitionRefused
from router.rules.alert_states import (
    ALERT_ENDS,
    ALERT_STATES,
    ALERT_TRANSITIONS,
    AlertActor,
    AlertEvent,
    alert_transition,
)


def test_every_state_has_a_policy_and_every_event_a_row() -> None:
    assert set(ALERT_STATES) == set(AlertState)
    assert set(AlertEvent) == {row.event for row in ALERT_TRANSITIONS}


def test_an_event_leaves_a_state_by_one_row_only() -> None:
    pairs = [(row.event, source) for row in ALERT_TRANSITIONS for source in row.sources]
    assert len(pairs) == len(set(pairs))


def test_only_a_person_answers() -> None:
    for row in ALERT_TRANSITIONS:
        if row.target in {AlertState.ACKNOWLEDGED, AlertState.CLOSED}:
            assert row.who is AlertActor.PERSON


def test_what_a_channel_says_never_ends_the_ladder() -> None:
    targets = {row.target for row in ALERT_TRANSITIONS if row.who is AlertActor.CHANNEL}
    assert targets <= UNANSWERED


@pytest.mark.parametrize("state", sorted(ALERT_ENDS))
def test_nothing_leaves_an_end(state: AlertState) -> None:
    assert not any(state in row.sources for row in ALERT_TRANSITIONS)


def test_a_refusal_says_what_would_be_needed() -> None:
    with pytest.raises(TransitionRefused, match="close: the alert is RAISED, expected ACKNOWLEDGED"):
        alert_transition(AlertState.RAISED, AlertEvent.CLOSE, AlertActor.PERSON)
    with pytest.raises(TransitionRefused, match="acknowledge: not for channel, only for person"):
        alert_transition(AlertState.RAISED, AlertEvent.ACKNOWLEDGE, AlertActor.CHANNEL)
