"""Modulus 11, and no placeholders."""

import pytest

from dicom_nodes.foundation.nhs_number import is_nhs_number


@pytest.mark.parametrize("number", ["9990000018", "9990000026", "9990000050"])
def test_a_number_with_its_check_digit_is_valid(number: str) -> None:
    assert is_nhs_number(number)


@pytest.mark.parametrize(
    "text", ["9990000019", "999000001", "99900000188", "", "999000001X", "0000000000", "9999999999", "٩٩٩٠٠٠٠٠١٨"]
)
def test_anything_else_is_not(text: str) -> None:
    assert not is_nhs_number(text)


def test_every_single_wrong_digit_is_found() -> None:
    for place in range(10):
        for digit in "0123456789":
            wrong = "9990000018"[:place] + digit + "9990000018"[place + 1 :]
            assert is_nhs_number(wrong) == (wrong == "9990000018")
