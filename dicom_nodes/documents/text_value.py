"""A report's text as a value of Text Value (0040,A160), VR UT, and back without loss.

DICOM pads a value with a trailing space and lets readers drop trailing spaces (PS3.5 6.2). A text that ends in a
space or a line end is therefore closed by one more line end; a reader takes one line end off (ADR 022).
"""


def to_text_value(text: str) -> str:
    """The value to write."""
    return text + "\n" if text.endswith((" ", "\n")) else text


def from_text_value(value: str) -> str:
    """The text that a value holds, without padding and without its closing line end."""
    text = value.rstrip("\0 ")
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")
