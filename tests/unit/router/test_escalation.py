"""What a ladder asks for at an instant, by tables of times; no clock, no database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from router.model.alert import Alert, AlertState, AlertStep, Notification, NotificationState, Recipient
from router.rules.escalation import Due, Rung, due, lay_ladder

T0 = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
WARD = Recipient("Ward 7", "mail", "w@x.test")
RUNGS = tuple(Rung(who, minutes, (WARD,)) for who, minutes in (("referrer", 10), ("team", 15), ("duty_manager", 20)))
AGAIN_S = 1800.0


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def alert(**changes: object) -> Alert:
    base = Alert("a", "report:r", "C", "S", None, "RXN", "reader x", T0, AlertState.RAISED, T0, T0)
    return replace(base, phone_at=at(45), deadline_at=at(60), **changes)  # type: ignore[arg-type]


def begun(*levels: int) -> list[AlertStep]:
    steps = lay_ladder("a", 1, RUNGS, T0, at(60)).steps
    return [replace(step, begun_at=T0) if step.level in levels else step for step in steps]


def told(*states: NotificationState) -> list[Notification]:
    return [Notification(str(n), "a", 1, 1, WARD, state, T0, T0) for n, state in enumerate(states)]


def test_a_ladder_has_its_times_from_the_start() -> None:
    ladder = lay_ladder("a", 1, RUNGS, T0, at(60))
    assert [step.due_at for step in ladder.steps] == [at(0), at(10), at(25)]
    assert ladder.phone_at == at(45)


def test_nothing_comes_after_the_deadline() -> None:
    ladder = lay_ladder("a", 1, RUNGS, T0, at(12))
    assert [step.due_at for step in ladder.steps] == [at(0), at(10), at(12)]
    assert ladder.phone_at == at(12)


def test_without_steps_the_phone_is_due_at_once() -> None:
    assert lay_ladder("a", 1, (), T0, at(60)).phone_at == T0


@pytest.mark.parametrize(
    ("steps", "minutes", "expected"),
    [
        (begun(), 0, Due((1,), False, at(10))),
        (begun(1), 9.99, Due((), False, at(10))),
        (begun(1), 10, Due((2,), False, at(25))),
        (begun(1), 26, Due((2, 3), False, at(45))),  # nobody looked for a while: all that is due, at once
        (begun(1, 2, 3), 44, Due((), False, at(45))),
        (begun(1, 2, 3), 45, Due((), True, at(75))),
        (begun(), 300, Due((1, 2, 3), True, at(330))),
    ],
)
def test_steps_are_due_by_the_clock(steps: list[AlertStep], minutes: float, expected: Due) -> None:
    sent = told(NotificationState.SENT) if any(step.begun_at for step in steps) else []
    assert due(alert(), steps, sent, at(minutes), AGAIN_S) == expected


def test_a_step_that_reached_nobody_is_followed_at_once() -> None:
    failed = told(NotificationState.FAILED, NotificationState.FAILED)
    assert due(alert(), begun(1), failed, at(1), AGAIN_S).levels == (2,)
    assert due(alert(), begun(1), [*failed, *told(NotificationState.QUEUED)], at(1), AGAIN_S).levels == ()
    assert due(alert(), begun(1), [*failed, *told(NotificationState.SENT)], at(1), AGAIN_S).levels == ()


def test_when_the_last_step_reached_nobody_the_phone_is_due_at_once() -> None:
    failed = told(*[NotificationState.FAILED] * 3)
    assert due(alert(), begun(1, 2, 3), failed, at(1), AGAIN_S) == Due((), True, at(31))
    assert not due(alert(phoned_at=at(1)), begun(1, 2, 3), failed, at(2), AGAIN_S).phone


def test_the_phone_list_is_asked_again() -> None:
    sent = told(NotificationState.SENT)
    assert due(alert(phoned_at=at(45)), begun(1, 2, 3), sent, at(74), AGAIN_S) == Due((), False, at(75))
    assert due(alert(phoned_at=at(45)), begun(1, 2, 3), sent, at(75), AGAIN_S) == Due((), True, at(105))


def test_the_next_look_is_never_in_the_past() -> None:
    for minutes in range(200):
        for levels in ((), (1,), (1, 2), (1, 2, 3)):
            for states in ((), (NotificationState.FAILED,), (NotificationState.SENT,)):
                decision = due(alert(), begun(*levels), told(*states), at(minutes), AGAIN_S)
                assert decision.look_at > at(minutes)
