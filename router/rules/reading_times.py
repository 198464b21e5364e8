"""How long reads take, learned from history: log-normal per exam group, shrunk towards what is known before.

A group's median is drawn towards the code maps' minutes, a reader's speed towards the group's, the more the fewer
reads there are. The mean of `n` logarithms with `k` imaginary ones at the prior is the posterior mean of a normal
with known spread; the spread itself is drawn to the prior in the same way (inverse gamma).
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from router.model.exam import DEFAULT_SIGMA, GroupTime, TimeSums
from router.model.record import Entry

GROUP_PRIOR_READS = 30.0
"""So many reads weigh as much as what the code maps say."""
READER_PRIOR_READS = 20.0
"""So many of a reader's own reads weigh as much as the group's speed."""
SHORTEST_MINUTES, LONGEST_MINUTES = 0.2, 240.0
"""What is outside is no reading time: signed in passing, or left open over lunch."""
SPEED_LIMITS = (0.5, 2.0)
MEMORY_DAYS = 180

_BEGINS = {"read.claimed", "read.resumed"}
_ENDS = {"read.held", "read.preliminary", "read.verified"}


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known of a group before any history."""

    minutes: float
    sigma: float = DEFAULT_SIGMA


def minutes_in_hand(entries: Sequence[Entry], read_id: str) -> float | None:
    """Minutes from the last claim of the read to its first signature after it, without holds.

    `entries` are the study's ledger, oldest first. None where it was never claimed or took an impossible time.
    """
    total, since, begun = 0.0, None, False
    for entry in entries:
        if entry.read_id != read_id:
            continue
        if entry.event == "read.claimed":
            total, begun = 0.0, True
        if entry.event in _BEGINS:
            since = entry.at
        elif entry.event in _ENDS and since is not None:
            total, since = total + (entry.at - since).total_seconds() / 60, None
            if entry.event != "read.held":
                break
        elif entry.event in {"read.lease_lost", "read.lease_withdrawn", "read.declined"}:
            total, since, begun = 0.0, None, False
    return total if begun and SHORTEST_MINUTES <= total <= LONGEST_MINUTES else None


def priors_of(groups: Iterable[tuple[str, float]]) -> dict[str, Prior]:
    """A prior for each group: the geometric mean of its exams' minutes."""
    logs: dict[str, list[float]] = defaultdict(list)
    for group, minutes in groups:
        logs[group].append(math.log(minutes))
    return {group: Prior(math.exp(math.fsum(values) / len(values))) for group, values in logs.items()}


def learn_groups(sums: Sequence[TimeSums], priors: Mapping[str, Prior], now: datetime) -> dict[str, GroupTime]:
    """What the history of every group with a prior says; a group without history is not in the answer."""
    learned: dict[str, GroupTime] = {}
    by_group: dict[str, list[TimeSums]] = defaultdict(list)
    for one in sums:
        by_group[one.exam_group].append(one)
    for group, of_group in sorted(by_group.items()):
        prior = priors.get(group)
        if prior is not None:
            learned[group] = _learn_group(group, of_group, prior, now)
    return learned


def learn_speeds(sums: Sequence[TimeSums], groups: Mapping[str, GroupTime]) -> dict[str, dict[str, float]]:
    """Reader → group → speed (1.25 = reads in 80 % of the group's minutes), drawn towards 1."""
    speeds: dict[str, dict[str, float]] = defaultdict(dict)
    for one in sums:
        group = groups.get(one.exam_group)
        if group is not None:
            ahead = one.reads * math.log(group.median_minutes) - one.sum_log
            speed = math.exp(ahead / (one.reads + READER_PRIOR_READS))
            speeds[one.reader_id][one.exam_group] = round(min(max(speed, SPEED_LIMITS[0]), SPEED_LIMITS[1]), 4)
    return dict(speeds)


def _learn_group(group: str, of_group: Sequence[TimeSums], prior: Prior, now: datetime) -> GroupTime:
    reads = sum(one.reads for one in of_group)
    sum_log = math.fsum(one.sum_log for one in of_group)
    prior_log = math.log(prior.minutes)
    mean = (sum_log + GROUP_PRIOR_READS * prior_log) / (reads + GROUP_PRIOR_READS)
    own_mean = sum_log / reads
    scatter = max(math.fsum(one.sum_log_squared for one in of_group) - reads * own_mean**2, 0.0)
    between = reads * GROUP_PRIOR_READS / (reads + GROUP_PRIOR_READS) * (own_mean - prior_log) ** 2
    variance = (GROUP_PRIOR_READS * prior.sigma**2 + scatter + between) / (reads + GROUP_PRIOR_READS)
    return GroupTime(group, prior.minutes, math.exp(mean), math.sqrt(variance), reads, now)
