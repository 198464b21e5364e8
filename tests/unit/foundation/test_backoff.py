"""Delays grow, stay under their ceiling, and end in parking."""

import random
from datetime import UTC, datetime

from dicom_nodes.foundation.backoff import Park, RetryAt, RetryPolicy, after_failure

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def test_delays_double_up_to_the_longest_and_then_the_work_is_parked() -> None:
    policy = RetryPolicy(attempts=6, first_s=2, longest_s=10, jitter=0)
    decisions = [after_failure(policy, attempt, NOW, random.Random(1)) for attempt in range(1, 7)]
    delays = [(d.at - NOW).total_seconds() for d in decisions if isinstance(d, RetryAt)]
    assert delays == [2, 4, 8, 10, 10]
    assert decisions[-1] == Park(6)


def test_jitter_spreads_within_its_share() -> None:
    policy = RetryPolicy(attempts=2, first_s=100, longest_s=1000, jitter=0.2)
    chance = random.Random(7)
    delays = set()
    for _ in range(200):
        decision = after_failure(policy, 1, NOW, chance)
        assert isinstance(decision, RetryAt)
        delays.add((decision.at - NOW).total_seconds())
    assert 80 <= min(delays) < max(delays) <= 120
    assert len(delays) > 100
