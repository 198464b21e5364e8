"""What goes wrong while the reports go: processes are killed (-9) and started again, and three RIS fail in turns.

What happens next is fixed by the seed; when, by how far the reports have come.
"""

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.network.proof.failing_ris import FAILURES, Mood
from tests.network.proof.trusts import Network

_ROUTER = "router"


@dataclass(frozen=True, slots=True)
class Kill:
    """Processes that die at once, and how long they are away."""

    names: tuple[str, ...]
    away_s: float


@dataclass(frozen=True, slots=True)
class Turn:
    """The RIS of one trust fails in one way; all others are well."""

    trust: str
    mood: Mood


@dataclass
class Trouble:
    """Its next step is due when `progress` says so, or when nothing has moved for a while."""

    network: Network
    steps: list[tuple[float, Kill | Turn]]
    """(share of the whole way, what happens then), in order."""
    patience_s: float
    killed: Counter[str] = field(default_factory=Counter)
    turns: list[Turn] = field(default_factory=list)
    _moved_at: float = field(default_factory=time.monotonic)
    _come: int = -1
    _met: int = 0

    def go_on(self, come: int, of: int) -> None:
        """Let happen what is due after `come` of `of` steps of all reports; a failure lasts until somebody met it."""
        if come != self._come:
            self._come, self._moved_at = come, time.monotonic()
        is_stuck = time.monotonic() - self._moved_at > self.patience_s
        if self.steps and (is_stuck or (self.steps[0][0] * of <= come and self._was_met())):
            self._do(self.steps.pop(0)[1])
            self._moved_at = time.monotonic()

    def _was_met(self) -> bool:
        """Whether the RIS that fails now has failed at least once."""
        return not self.turns or self._answers() > self._met or self.turns[-1].mood == "off"

    def _answers(self) -> int:
        turn = self.turns[-1]
        return self.network.trusts[turn.trust].ris.answers[turn.mood]

    def end(self) -> None:
        """Everybody is well."""
        for code in self.network.failing:
            self.network.trusts[code].ris.be("well")

    def _do(self, step: Kill | Turn) -> None:
        match step:
            case Turn(trust, mood):
                self.turns.append(step)
                self._met = self._answers()
                for code in self.network.failing:
                    self.network.trusts[code].ris.be(mood if code == trust else "well")
            case Kill(names, away_s):
                for name in names:
                    self.killed[name] += 1
                    (self.network if name == _ROUTER else self.network.trusts[name]).kill()
                time.sleep(away_s)
                for name in names:
                    (self.network if name == _ROUTER else self.network.trusts[name]).start()


def steps_of(network: Network, chance: random.Random, kills: int, rounds: int) -> list[tuple[float, Kill | Turn]]:
    """`kills` of router and nodes at random moments; every failure at a failing trust, `rounds` times at each."""
    turns = [Turn(trust, mood) for mood in FAILURES for trust in network.failing] * rounds
    chance.shuffle(turns)
    if not rounds:  # each failure once, the trusts in turns
        moods = chance.sample(FAILURES, len(FAILURES))
        turns = [Turn(network.failing[n % len(network.failing)], mood) for n, mood in enumerate(moods)]
    found: list[tuple[float, Kill | Turn]] = [(n / (len(turns) + 1), turn) for n, turn in enumerate(turns)]
    for names in _victims(network, chance, kills):
        latest = 0.4 if set(names) & set(network.readers) else 0.9  # a reading node dies while letters come to it
        found.append((chance.uniform(0.05, latest), Kill(names, chance.uniform(0, 1))))
    return sorted(found, key=lambda step: step[0])


def _victims(network: Network, chance: random.Random, kills: int) -> Sequence[tuple[str, ...]]:
    """The router, a reading and a failing trust's node before any other; every fifth time router and node at once."""
    others = list(network.trusts)
    found: list[tuple[str, ...]] = [(_ROUTER,), (next(iter(network.readers)),), (network.failing[0],)]
    while len(found) < kills:
        node = chance.choice(list(network.readers) if len(found) % 4 == 0 else others)
        found.append((_ROUTER,) if len(found) % 3 == 0 else (_ROUTER, node) if len(found) % 5 == 0 else (node,))
    return found[:kills]
