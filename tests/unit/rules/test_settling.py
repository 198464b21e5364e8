"""A study settles by quiet time with no open association on it."""

from datetime import UTC, datetime, timedelta

import pytest

from dicom_nodes.rules.settling import Settle, Wait, decide

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
