"""When to try again: a returned decision, never an exception or a sleep."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential delays from `first_s` to `longest_s`, with ±`jitter` as a share of the delay."""

    attempts: int = 12
    first_s: float = 2.0
    longest_s: float = 900.0
    jitter: float = 0.2


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again, not before `at` (aware UTC)."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Park:
    """Stop trying by machine; a person sees it and can send it again."""

    attempts: int


def after_failure(policy: RetryPolicy, attempt: int, now: datetime, chance: random.Random) -> RetryAt | Park:
    """Decide what follows the failed attempt number `attempt` (1 is the first)."""
    if attempt >= policy.attempts:
        return Park(attempt)
    delay_s = min(policy.longest_s, policy.first_s * 2 ** (attempt - 1))
    delay_s *= 1 + policy.jitter * (2 * chance.random() - 1)
    return RetryAt(now + timedelta(seconds=delay_s))
