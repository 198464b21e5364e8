"""Reading times from history: what counts as one, and how far few reads move what is known before."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from router.model.exam import TimeSums
from router.model.record import Entry
from router.rules.reading_times import (
    GROUP_PRIOR_READS,
    READER_PRIOR_READS,
    Prior,
    learn_groups,
    learn_speeds,
    minutes_in_hand,
    priors_of,
)

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
PRIORS = {"ct_head": Prior(8.0, 0.5)}


def story(*told: tuple[str, float], read_id: str = "r") -> list[Entry]:
    return [Entry(f"read.{event}", NOW + timedelta(minutes=at), "x", read_id=read_id) for event, at in told]


def sums(reader: str, *minutes: float) -> TimeSums:
    logs = [math.log(m) for m in minutes]
    return TimeSums(reader, "ct_head", len(logs), sum(logs), sum(log * log for log in logs))


@pytest.mark.parametrize(
    ("told", "minutes"),
    [
        ([("claimed", 0), ("verified", 6)], 6),
        ([("claimed", 0), ("held", 2), ("resumed", 50), ("verified", 53)], 5),
        ([("claimed", 0), ("preliminary", 4), ("verified", 600)], 4),
        ([("claimed", 0), ("lease_lost", 5), ("claimed", 20), ("verified", 23)], 3),
        ([("claimed", 0), ("declined", 5), ("offered_again", 5), ("verified", 23)], None),
        ([("assigned", 0), ("verified", 9)], None),
        ([("claimed", 0), ("verified", 0.1)], None),
        ([("claimed", 0), ("verified", 300)], None),
        ([("claimed", 0)], None),
    ],
)
def test_time_in_hand_runs_from_claim_to_signature_without_holds(
    told: list[tuple[str, float]], minutes: float | None
) -> None:
    assert minutes_in_hand([*story(("claimed", 1), read_id="other"), *story(*told)], "r") == minutes


def test_a_group_without_history_keeps_what_the_code_maps_say() -> None:
    assert learn_groups([], PRIORS, NOW) == {}


def test_as_many_reads_as_the_prior_weighs_meet_it_half_way_on_the_log_scale() -> None:
    learned = learn_groups([sums("a", *[2.0] * int(GROUP_PRIOR_READS))], PRIORS, NOW)["ct_head"]
    assert learned.median_minutes == pytest.approx(math.sqrt(8.0 * 2.0))
    assert learned.factor == pytest.approx(0.5)


def test_many_reads_are_believed_in_median_and_spread() -> None:
    minutes = [math.exp(math.log(12.0) + 0.3 * (1 if n % 2 else -1)) for n in range(20_000)]
    learned = learn_groups([sums("a", *minutes)], PRIORS, NOW)["ct_head"]
    assert learned.median_minutes == pytest.approx(12.0, rel=0.01)
    assert learned.sigma == pytest.approx(0.3, rel=0.02)
    assert learned.reads == 20_000


def test_a_group_that_no_code_map_knows_is_not_learned() -> None:
    assert learn_groups([sums("a", 5.0)], {}, NOW) == {}


def test_a_readers_speed_is_drawn_to_the_groups_the_more_the_fewer_reads() -> None:
    history = [sums("fast", *[4.0] * 2000), sums("slow", *[16.0] * 2000), sums("new", 4.0)]
    groups = learn_groups(history, PRIORS, NOW)
    speeds = learn_speeds(history, groups)
    assert speeds["fast"]["ct_head"] == pytest.approx(2.0, rel=0.02)
    assert speeds["slow"]["ct_head"] == pytest.approx(0.5, rel=0.02)
    assert speeds["new"]["ct_head"] == pytest.approx(2.0 ** (1 / (1 + READER_PRIOR_READS)), rel=0.01)


def test_no_speed_leaves_its_limits() -> None:
    history = [sums("a", *[0.3] * 5000), sums("b", *[200.0] * 5000)]
    speeds = learn_speeds(history, learn_groups(history, PRIORS, NOW))
    assert (speeds["a"]["ct_head"], speeds["b"]["ct_head"]) == (2.0, 0.5)


def test_the_prior_of_a_group_is_the_geometric_mean_of_its_exams() -> None:
    assert priors_of([("g", 4.0), ("g", 16.0), ("h", 3.0)])["g"].minutes == pytest.approx(8.0)
