"""P, F and C never go backwards, and no older version follows a newer one."""

import pytest

from dicom_nodes.rules.report_order import Filed, goes_backwards


@pytest.mark.parametrize(
    ("version", "status", "filed"),
    [
        (1, "P", None),
        (1, "F", None),
        (1, "F", Filed(1, "F")),
        (2, "P", Filed(1, "P")),
        (2, "F", Filed(1, "P")),
        (3, "C", Filed(2, "F")),
        (4, "C", Filed(3, "C")),
        (4, "X", Filed(3, "C")),
        (2, "P", Filed(1, "X")),
    ],
)
def test_what_is_newer_or_a_repeat_goes_on(version: int, status: str, filed: Filed | None) -> None:
    assert goes_backwards(version, status, filed) is None


@pytest.mark.parametrize(
    ("version", "status", "filed", "words"),
    [
        (1, "P", Filed(2, "F"), "a newer version (2) was already filed"),
        (1, "F", Filed(2, "P"), "a newer version (2) was already filed"),
        (1, "X", Filed(2, "F"), "a newer version (2) was already filed"),
        (3, "P", Filed(2, "F"), "a final report was already filed, and this one has status P"),
        (2, "P", Filed(2, "F"), "a final report was already filed, and this one has status P"),
        (4, "F", Filed(3, "C"), "a corrected report was already filed, and this one has status F"),
    ],
)
def test_what_is_older_is_refused_in_words(version: int, status: str, filed: Filed, words: str) -> None:
    assert goes_backwards(version, status, filed) == words


def test_a_cancellation_does_not_open_the_way_back() -> None:
    filed = Filed(2, "F").and_also(3, "X")
    assert filed == Filed(3, "F")
    assert goes_backwards(4, "P", filed) is not None


def test_a_late_acknowledgement_of_an_older_version_changes_nothing() -> None:
    assert Filed(2, "F").and_also(1, "P") == Filed(2, "F")
