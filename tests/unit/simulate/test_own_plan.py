"""The simulator asks production's plan: its shorter way for one reader answers what `next_read` answers."""

import numpy as np

from router.rules.planning import PlanningProblem, Tuning, next_read
from router.simulate.board import NOTHING
from router.simulate.engine import ReadingRoom
from router.simulate.own_plan import OwnPlan, best_head
from router.simulate.region import Flags
from tests.unit.simulate.worlds import ASSUMPTIONS, small_world


class _Asked(OwnPlan):
    """Keeps every problem it was asked."""

    def __init__(self) -> None:
        self.world = small_world("trust_loss", seed=5)
        self.problems: list[tuple[PlanningProblem, int]] = []
        super().__init__(ASSUMPTIONS, self.world, ahead=False)

    def choose(self, room: ReadingRoom, reader: int, allowed: Flags) -> int:
        row, klass = np.nonzero((room.board.due < np.inf) & allowed)
        if len(row):
            self.problems.append((self._problem(room, room.board.study[row, klass], klass), reader))
        return super().choose(room, reader, allowed)


def test_the_choice_among_heads_is_that_of_next_read() -> None:
    policy = _Asked()
    outcome = ReadingRoom(policy.world, policy).run()
    assert (outcome.reader != NOTHING).any()
    compared = 0
    for problem, reader in policy.problems[::7]:
        own = problem.readers.employer[reader]
        if problem.aid.out_left[own] - problem.aid.out_reserve[own] < 60.0:
            continue  # the engine lets the last read of a day's aid begin, production only what fits
        expected = next_read(problem, Tuning(), reader)
        if expected is not None:
            compared += 1
            assert best_head(problem, Tuning(), reader) == expected
    assert compared > 100


def test_the_region_is_planned_ahead_four_times_a_day_and_its_studies_are_read() -> None:
    world = small_world("normal", seed=5)
    ahead = OwnPlan(ASSUMPTIONS, world, ahead=True)
    outcome = ReadingRoom(world, ahead).run()
    assert ahead.planned_ahead == world.weeks * 7 * 4
    assert (outcome.reader != NOTHING).mean() > 0.5
