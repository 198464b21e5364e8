"""The NHS number: ten digits, the last a modulus 11 check digit (NHS Data Dictionary, NHS NUMBER)."""


def is_nhs_number(text: str) -> bool:
    """Whether `text` is ten digits with the right check digit."""
    if len(text) != 10 or not text.isascii() or not text.isdigit():
        return False
    remainder = sum(int(digit) * weight for digit, weight in zip(text[:9], range(10, 1, -1), strict=True)) % 11
    return (11 - remainder) % 11 == int(text[9])
