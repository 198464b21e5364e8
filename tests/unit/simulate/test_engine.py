"""The loop of the simulator: nothing is lost, everybody meets the same world, and small cases come out as by hand."""

import numpy as np
import pytest

from router.simulate.baselines import POLICIES
from router.simulate.board import NOTHING
from router.simulate.engine import Outcome, ReadingRoom
from router.simulate.experiment import policy_of
from router.simulate.world import World
from tests.unit.simulate.worlds import ASSUMPTIONS, hand_made, session, small_world


def run(world: World, policy: str) -> Outcome:
    return ReadingRoom(world, policy_of(policy, ASSUMPTIONS, world)).run()


@pytest.mark.parametrize("policy", [*POLICIES, "readacross_index"])
def test_every_study_is_read_once_or_still_waits(policy: str) -> None:
    world = small_world("partition")
    room = ReadingRoom(world, policy_of(policy, ASSUMPTIONS, world))
    outcome = room.run()
    read = outcome.reader != NOTHING
    waiting = room.board.everything()
    assert read.sum() > 0
    assert len(waiting) == len(set(waiting))
    assert set(waiting) == set(np.flatnonzero(~read).tolist())
    assert (outcome.begun[read] >= np.maximum(world.arrivals.came[read], 0)).all()


@pytest.mark.parametrize("policy", [*POLICIES, "readacross_index"])
def test_nobody_reads_what_they_may_not_or_two_at_once_or_outside_a_session(policy: str) -> None:
    world = small_world("normal")
    outcome = run(world, policy)
    read = np.flatnonzero(outcome.reader != NOTHING)
    assert world.staff.eligible[outcome.reader[read], world.arrivals.klass[read]].all()
    for reader in np.unique(outcome.reader[read]):
        mine = read[outcome.reader[read] == reader]
        mine = mine[np.argsort(outcome.begun[mine])]
        assert (outcome.begun[mine][1:] >= outcome.done[mine][:-1] - 1e-9).all()
        sessions = [s for s in world.sessions if s.reader == reader]
        for study in mine:
            done = min(outcome.done[study], world.end)
            assert any(s.start <= outcome.begun[study] and done <= s.end + 1e-9 for s in sessions)


def test_silos_read_their_own_only() -> None:
    world = small_world("normal")
    outcome = run(world, "silo_priority")
    assert outcome.aid.sum() == pytest.approx(np.trace(outcome.aid))


@pytest.mark.parametrize("policy", ["worklist", "readacross_index"])
def test_nobody_reads_across_a_cut(policy: str) -> None:
    world = small_world("partition")
    outcome = run(world, policy)
    struck, begins, ends = world.cut_off[0]
    inside = np.flatnonzero((outcome.begun >= begins) & (outcome.begun < ends))
    own = world.staff.trust[outcome.reader[inside]]
    origin = world.region.classes.trust[world.arrivals.klass[inside]]
    assert len(inside) > 0
    assert ((own == struck) == (origin == struck)).all()


def test_aid_of_a_day_ends_with_its_limit() -> None:
    world = small_world("trust_loss")
    outcome = run(world, "worklist")
    read = np.flatnonzero(outcome.reader != NOTHING)
    classes, klass = world.region.classes, world.arrivals.klass[read]
    own = world.staff.trust[outcome.reader[read]]
    minutes = world.arrivals.minutes[read] * world.staff.factor[outcome.reader[read], klass]
    for trust in range(len(world.region.trusts)):
        for day in range(7):
            lent = (own == trust) & (classes.trust[klass] != trust) & (outcome.begun[read] // 1440 == day)
            beyond_one = minutes[lent].sum() - minutes[lent].max(initial=0.0)
            assert beyond_one <= world.aid_minutes[trust, 1] + 1e-6


@pytest.mark.parametrize("policy", ["round_robin", "readacross_index"])
def test_the_same_seed_gives_the_same_outcome(policy: str) -> None:
    first, second = (run(small_world("normal", seed=3), policy) for _ in range(2))
    assert np.array_equal(first.done, second.done)
    assert np.array_equal(first.reader, second.reader)


def test_another_seed_gives_other_studies() -> None:
    assert len(small_world(seed=1).arrivals) != len(small_world(seed=2).arrivals)


def test_by_hand_the_urgent_study_goes_first_and_the_routine_one_is_late() -> None:
    """Session 60 to 120. A (routine, came 50, 10 min), B (urgent, came 55, 10 min), C (routine, came 56, 45 min), all
    due an hour after they came. By priority: B 60-70, then A 70-80, then C would end at 125: not begun, late at 116.
    """
    world = hand_made([(50.0, 0, 10.0), (55.0, 1, 10.0), (56.0, 0, 45.0)], [session(60, 120)])
    outcome = run(world, "worklist")
    assert outcome.begun.tolist() == [70.0, 60.0, np.inf]
    assert outcome.done.tolist() == [80.0, 70.0, np.inf]


def test_by_hand_an_interruption_makes_what_is_read_later() -> None:
    """B is begun at 60 and needs 10 minutes, 5 of them after a call from 65 to 72; A follows from 77 to 87."""
    world = hand_made([(50.0, 0, 10.0), (55.0, 1, 10.0)], [session(60, 120, (65, 72))])
    outcome = run(world, "worklist")
    assert outcome.done.tolist() == [87.0, 77.0]


def test_an_idle_reader_takes_a_study_the_moment_it_comes() -> None:
    world = hand_made([(90.0, 0, 10.0)], [session(60, 120)])
    assert run(world, "worklist").begun.tolist() == [90.0]
