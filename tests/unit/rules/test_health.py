"""Health is judged from facts, and says in sentences what is wrong."""

from dataclasses import replace

import pytest

from dicom_nodes.rules.health import Vitals, judge

WELL = Vitals(
    free_bytes=10 << 30,
    reserve_bytes=2 << 30,
    catalogue_failing=False,
    uncatalogued=0,
    stopped_parts=(),
    refused_for=None,
    router_silent_s=1.0,
    damaged_objects=0,
    parked_jobs=0,
    quarantined=0,
    outbox_depth=3,
    outbox_oldest_s=1.0,
)


def test_a_node_without_trouble_is_ok_and_says_nothing() -> None:
    health = judge(WELL)
    assert (health.state, health.reasons) == ("ok", ())


@pytest.mark.parametrize(
    ("vitals", "state", "words"),
    [
        (replace(WELL, free_bytes=1 << 30), "refusing", "1024 MiB free, 2048 MiB kept; images are refused (A700)"),
        (replace(WELL, catalogue_failing=True), "degraded", "safe in the spool"),
        (replace(WELL, damaged_objects=2), "degraded", "2 objects in the spool are damaged"),
        (replace(WELL, refused_for="the spool cannot write: Input/output error"), "refusing", "Input/output error"),
        (replace(WELL, stopped_parts=("facts", "2 workers")), "degraded", "have stopped: facts, 2 workers"),
        (replace(WELL, uncatalogued=1), "degraded", "1 instances are in the spool but cannot be catalogued"),
        (replace(WELL, router_silent_s=61), "degraded", "has not answered for 61 s"),
        (replace(WELL, parked_jobs=1), "degraded", "1 jobs are parked"),
        (replace(WELL, quarantined=4), "degraded", "4 instances are in quarantine"),
        (replace(WELL, outbox_oldest_s=301), "degraded", "waiting for the router for 301 s"),
    ],
)
def test_each_trouble_is_a_sentence(vitals: Vitals, state: str, words: str) -> None:
    health = judge(vitals)
    assert health.state == state
    assert len(health.reasons) == 1
    assert words in health.reasons[0]
