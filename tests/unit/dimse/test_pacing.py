"""A peer with a pace is read from later, never refused; all its associations share it."""

import pytest

from dicom_nodes.config import Peer
from dicom_nodes.dimse.pacing import PeerPaces, TokenBucket


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_of_a_second_is_free_and_the_rest_waits_for_its_time() -> None:
    clock = Clock()
    bucket = TokenBucket(1000, clock)
    assert [bucket.take(600), bucket.take(400)] == [0, 0]
    assert bucket.take(500) == 0.5
    assert bucket.take(500) == 1.0, "what another association of the peer took is counted"
    clock.now = 1.0
    assert bucket.take(250) == 0.25


def test_silence_saves_up_no_more_than_one_burst() -> None:
    clock = Clock()
    bucket = TokenBucket(1000, clock)
    clock.now = 3600.0
    assert bucket.take(1500) == pytest.approx(0.5)


def test_only_a_peer_with_a_limit_has_a_pace_and_keeps_the_same() -> None:
    paces = PeerPaces()
    free = Peer(ae_title="CT1", role="modality")
    slow = Peer(ae_title="CT2", role="modality", maximum_mib_per_s=0.5)
    assert paces.of(free) is None
    pace = paces.of(slow)
    assert pace is not None
    assert pace is paces.of(slow)
    assert pace.largest_read == 1 << 17
