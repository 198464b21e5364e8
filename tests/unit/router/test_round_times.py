"""Rounds of the planner take a part of the processor only, and nobody waits long for the next one."""

import pytest

from router.flows.round_times import pause_after


@pytest.mark.parametrize(
    ("took_s", "pause_s"),
    [
        pytest.param(0.01, 0.2, id="a short one: events that come together are planned together"),
        pytest.param(0.1, 0.3, id="three times as long as it took"),
        pytest.param(15.0, 1.0, id="a plan of everything anew keeps no emergency waiting"),
    ],
)
def test_a_pause_is_by_what_the_round_took_within_limits(took_s: float, pause_s: float) -> None:
    assert pause_after(took_s, 0.2) == pytest.approx(pause_s)
