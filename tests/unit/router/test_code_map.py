"""A code map from CSV: what a row means, and every problem with its row."""

import pytest

from router.code_map import read_code_map

HEADER = "local_code,scheme,standard_code,standard_scheme,group,modality,subspecialty,minimum_level,minutes,pathway\n"
GOOD = "CTH,LOCAL,CSKUH,NICIP,ct_head,CT,neuro,special_interest,7,urgent\n"


def test_a_row_is_read_with_its_defaults() -> None:
    (row, other), problems = read_code_map(
        "\ufeff" + HEADER + GOOD + "\nX,,1,SNOMED CT,xr_chest,DX,chest,,2.5,routine\n"
    )
    assert problems == ()
    assert (row.target, row.scheme, row.minimum_level, row.sigma) == (
        ("NICIP", "CSKUH"),
        "LOCAL",
        "special_interest",
        0.5,
    )
    assert (other.scheme, other.minimum_level, other.minutes) == (None, "general", 2.5)


def test_a_code_with_two_targets_is_refused_with_both_rows() -> None:
    _, (problem,) = read_code_map(HEADER + GOOD + GOOD.replace("CSKUH", "MSKUH"))
    assert str(problem) == "row 3: local code 'CTH' has two targets: NICIP CSKUH in row 2, and NICIP MSKUH here"


def test_the_same_code_twice_is_refused_and_under_two_schemes_is_not() -> None:
    _, (problem,) = read_code_map(HEADER + GOOD + GOOD)
    assert str(problem) == "row 3: local code 'CTH' is in row 2 already"
    _, problems = read_code_map(HEADER + GOOD + GOOD.replace("LOCAL", "").replace("CSKUH", "MSKUH"))
    assert problems == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("CT,", "ct?,"), "modality: "),
        ((",7,", ",0,"), "minutes: "),
        ((",7,", ",,"), "minutes: is empty"),
        ((",7,", ",nan,"), "minutes: "),
        (("NICIP", "OPCS"), "standard_scheme: "),
        (("special_interest", "expert"), "minimum_level: "),
        (("CSKUH", ""), "standard_code: is empty"),
        (("urgent", "soon"), "pathway: expected one of routine, urgent, got 'soon'"),
        ((",urgent", ""), "expected 10 columns as in the header, got 9"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_with_column_and_reason(change: tuple[str, str], reason: str) -> None:
    _, problems = read_code_map(HEADER + GOOD.replace(*change, 1), {"urgent", "routine"})
    assert [problem.row for problem in problems] == [2]
    assert problems[0].reason.startswith(reason)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("local_code\n", "missing column standard_code"),
        (HEADER.replace("minutes", "duration"), "unknown column 'duration'"),
        (HEADER.replace("scheme,", "local_code,", 1), "a column is there twice"),
        ("", "missing column local_code"),
    ],
)
def test_a_header_that_is_not_understood_is_refused(header: str, reason: str) -> None:
    rows, (problem,) = read_code_map(header + GOOD if header else "")
    assert (rows, problem.row) == ((), 1)
    assert problem.reason.startswith(reason)
