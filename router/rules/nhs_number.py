"""NHS numbers: ten digits with a modulus 11 check digit. An invalid one never identifies anybody."""


def is_valid_nhs_number(text: str) -> bool:
    """Whether the text is ten digits whose check digit holds (NHS Data Dictionary, NHS NUMBER)."""
    if len(text) != 10 or not (text.isascii() and text.isdecimal()) or len(set(text)) == 1:
        return False
    check = 11 - sum(int(digit) * weight for digit, weight in zip(text, range(10, 1, -1), strict=False)) % 11
    return check != 10 and check % 11 == int(text[9])
