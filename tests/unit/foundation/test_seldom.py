"""What happens over and over is told at once, then seldom, and its number is never lost."""

from dicom_nodes.foundation.seldom import Seldom


def test_the_first_is_told_at_once_and_the_rest_with_their_number() -> None:
    now = 100.0
    seldom = Seldom(every_s=10, monotonic=lambda: now)
    assert seldom.happened() == 1
    assert [seldom.happened() for _ in range(5)] == [0] * 5
    now = 109.9
    assert seldom.happened() == 0
    now = 110.0
    assert seldom.happened() == 7
    now = 125.0
    assert seldom.happened() == 1
