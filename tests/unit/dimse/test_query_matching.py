"""Attribute matching (DICOM PS3.4 C.2.2.2), as a table."""

import pytest

from dicom_nodes.model.errors import IdentifierMismatch
from dicom_nodes.rules.person_name import fold
from dicom_nodes.rules.query_matching import Matching, matches

TEXT, NAME, DATE, TIME, UID, NUMBER = (
    Matching.TEXT, Matching.NAME, Matching.DATE, Matching.TIME, Matching.UID, Matching.NUMBER,
)  # fmt: skip


@pytest.mark.parametrize(
    ("matching", "wanted", "stored", "expected"),
    [
        (TEXT, "", "anything", True),
        (TEXT, "*", "", True),
        (TEXT, "1234", "1234", True),
        (TEXT, "1234", "_1234", False),
        (TEXT, "_1234", "1234", False),
        (TEXT, "_1234", "x1234", False),
        (TEXT, "%1234", "abc1234", False),
        (TEXT, "%1234", "%1234", True),
        (TEXT, "?1234", "%1234", True),
        (TEXT, "*1234", "%1234", True),
        (TEXT, "?1234", "1234", False),
        (TEXT, "a.c", "abc", False),
        (TEXT, "Head", "HEAD", False),
        (TEXT, "CT", "CT\\SR", True),
        (TEXT, "MR", "CT\\SR", False),
        (TEXT, "CT\\MR", "MR", True),
        (TEXT, "A*", "", False),
        (TEXT, "A**C", "AC", True),
        (TEXT, "A*BA*BC", "AxBABAxBC", True),
        (TEXT, "*A*", "xA", True),
        (TEXT, "A*A", "A", False),
        (TEXT, "?*?", "A", False),
        (NAME, "Smith^John*", "SMITH ^JOHN", True),
        (NAME, "Smith ^ John", "SMITH^JOHN", True),
        (NAME, "Van Dyk^J*", "VanDyk^John", False),
        (NAME, "O'Brien*", "O\u2019Brien^Una", True),
        (NAME, "O\u2019Brien*", "O'Brien^Una", True),
        (NAME, "lukasz*", "Łukasz^Jan", True),
        (NAME, "ŁUKASZ^JAN", "Łukasz^Jan^^", True),
        (NAME, "siân^*", "SIAN^Gwen", True),
        (NAME, "O'Brien^?ary", "O'BRIEN^Mary", True),
        (NAME, "Brien", "O'Brien", False),
        (NAME, "Smith^*", "Smith", True),
        (NAME, "Smith^*^*", "Smith^Ann", True),
        (NAME, "Smith^A*", "Smith", False),
        (NAME, "Smith^*", "Smithson", False),
        (NAME, "*^Ann", "Smith^Ann", True),
        (NAME, "Smith^", "Smith", True),
        (NAME, "A\\Smith", "Smith", True),
        (NAME, "Yamada*", "Yamada^Tarou=山田^太郎", True),
        (NAME, "山田*", "Yamada^Tarou=山田^太郎", True),
        (DATE, "20260301", "20260301", True),
        (DATE, "20260301-20260331", "20260331", True),
        (DATE, "20260301-20260331", "20260401", False),
        (DATE, "-20260331", "19700101", True),
        (DATE, "20260301-", "20260228", False),
        (DATE, "2026.03.01", "20260301", True),
        (DATE, "20260301-", "", False),
        (TIME, "10", "104559.123", True),
        (TIME, "1000-1030", "103059", True),
        (TIME, "1000-1030", "1031", False),
        (TIME, "-0930", "093000.5", True),
        (UID, "1.2\\1.3", "1.3", True),
        (UID, "1.2", "1.20", False),
        (UID, "1.*", "1.2", False),
        (NUMBER, "1", "01", True),
        (NUMBER, "2", "12", False),
    ],
)
def test_value_meets_key_as_the_standard_says(matching: Matching, wanted: str, stored: str, expected: bool) -> None:
    assert matches(matching, wanted, stored) is expected


@pytest.mark.parametrize("wanted", ["2026", "202603", "-", "20260301-20260331-", "yesterday"])
def test_malformed_date_is_refused_rather_than_matching_nothing(wanted: str) -> None:
    with pytest.raises(IdentifierMismatch):
        matches(DATE, wanted, "20260301")


@pytest.mark.parametrize("wanted", ["1", "-", "noon", "10:3"])
def test_malformed_time_is_refused_rather_than_matching_nothing(wanted: str) -> None:
    with pytest.raises(IdentifierMismatch):
        matches(TIME, wanted, "1030")


def test_folding_twice_is_folding_once() -> None:
    once = fold(" A \u2019 ^ b ^ ^= c ^=\\ d ^")
    assert once == "a '^b=c\\d"
    assert fold(once) == once


def test_folding_keeps_wildcards_and_drops_empty_components() -> None:
    assert fold("Łu?asz^*^^") == "lu?asz^*"


def test_many_asterisks_take_no_exponential_time() -> None:
    assert not matches(TEXT, "*a" * 40 + "b", "a" * 20_000)
