"""The NHS number: ten digits, the last a modulus 11 check digit. An invalid one never identifies anybody."""


def is_nhs_number(text: str) -> bool:
    """Whether `text` is ten digits, not all the same, with the right check digit (NHS Data Dictionary, NHS NUMBER)."""
    if len(text) != 10 or not (text.isascii() and text.isdecimal()) or len(set(text)) == 1:
        return False
    remainder = sum(int(digit) * weight for digit, weight in zip(text[:9], range(10, 1, -1), strict=True)) % 11
    return (11 - remainder) % 11 == int(text[9])
