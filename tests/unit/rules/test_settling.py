"""A study settles by quiet time with no open association on it, or by what was announced of it."""

from datetime import UTC, datetime, timedelta

import pytest

from dicom_nodes.model.procedure import Announced
from dicom_nodes.rules.settling import Settle, Wait, decide, missing_notice

T0 = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("now_s", "open_associations", "expected"),
    [
        (59, {}, Wait(after(60))),
        (60, {}, Settle()),
        (60, {"a": after(0)}, Wait(after(600))),
        (120, {"a": after(0), "b": after(10)}, Wait(after(610))),
        (600, {"a": after(0)}, Settle()),
    ],
)
def test_decision(now_s: float, open_associations: dict[str, datetime], expected: Settle | Wait) -> None:
    assert decide(T0, open_associations, 60, after(now_s)) == expected


@pytest.mark.parametrize(
    ("now_s", "missing", "announced_s", "steps_ended", "sending", "expected"),
    [
        (1, 0, 0, True, False, Settle()),
        (1, 0, 0, True, True, Settle()),
        (1, 0, 0, False, False, Wait(after(60))),
        (60, 0, 0, False, False, Settle()),
        (60, 1, 0, True, False, Wait(after(900))),
        (899, 1, 0, False, False, Wait(after(900))),
        (900, 1, 0, True, False, Settle()),
        (900, 1, 30, True, False, Wait(after(930))),
        (930, 1, 30, True, False, Settle()),
        (901, 1, 0, True, True, Wait(after(1500))),
    ],
)
def test_decision_with_an_announcement(
    now_s: float, missing: int, announced_s: float, steps_ended: bool, sending: bool, expected: Settle | Wait
) -> None:
    announced = Announced(800, missing, after(announced_s), steps_ended)
    associations = {"a": after(900)} if sending and missing else {"a": after(0)} if sending else {}
    verdict = decide(T0, associations, 60, after(now_s), announced, hold_s=900)
    assert verdict == expected


@pytest.mark.parametrize(
    ("missing", "notice"),
    [
        (0, None),
        (1, "Of 800 instances that were announced for this study, 1 is not here."),
        (2, "Of 800 instances that were announced for this study, 2 are not here."),
    ],
)
def test_the_notice_counts_what_is_missing(missing: int, notice: str | None) -> None:
    assert missing_notice(800, missing) == notice
