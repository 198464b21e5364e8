"""The clairvoyant's bound: below every policy, and what one works out by hand."""

import pytest

from router.simulate.baselines import POLICIES
from router.simulate.bound import clairvoyant
from router.simulate.engine import ReadingRoom
from router.simulate.experiment import policy_of
from router.simulate.metrics import figures_of
from tests.unit.simulate.worlds import ASSUMPTIONS, hand_made, session, small_world


def test_no_policy_goes_below_the_bound() -> None:
    world = small_world("monday_backlog", seed=2)
    bound = clairvoyant(world)
    assert bound > 0
    for name in [*POLICIES, "readacross_index"]:
        outcome = ReadingRoom(world, policy_of(name, ASSUMPTIONS, world)).run()
        assert figures_of(world, outcome).weighted_breaches >= bound - 1e-6, name


def test_by_hand_the_lightest_study_is_given_up() -> None:
    """40 minutes for three studies of 20 in one session: the urgent one (weight 4) is read, one routine one is not."""
    world = hand_made([(60.0, 0, 20.0), (60.0, 1, 20.0), (60.0, 0, 20.0)], [session(60, 100)])
    assert clairvoyant(world) == pytest.approx(1.0, abs=1e-5)


def test_by_hand_nothing_is_lost_when_there_is_time() -> None:
    world = hand_made([(60.0, 0, 20.0), (60.0, 1, 20.0)], [session(60, 100)])
    assert clairvoyant(world) == pytest.approx(0.0, abs=1e-5)


def test_by_hand_interruptions_are_no_capacity() -> None:
    world = hand_made([(60.0, 0, 20.0), (60.0, 0, 20.0)], [session(60, 100, (70, 90))])
    assert clairvoyant(world) == pytest.approx(1.0, abs=1e-5)
