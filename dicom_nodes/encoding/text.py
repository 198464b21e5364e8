"""Decode text values by Specific Character Set (DICOM PS3.3 C.12.1.1.2), never replacing a character silently.

A byte that the declared character set does not have shows as `\\xNN`: visible, and nothing is guessed.
"""

import warnings

from pydicom.charset import convert_encodings, decode_bytes, python_encoding

_DELIMITERS = {0x0D, 0x0A, 0x09, 0x0C, 0x5C}


class TextDecoder:
    """Decodes the text values of one data set."""

    def __init__(self, specific_character_set: str | None) -> None:
        """`specific_character_set` is the value of (0008,0005) with its backslashes, or None."""
        names = [name.strip() for name in (specific_character_set or "").split("\\")]
        self._codec: str | None = None
        self._encodings: list[str] = []
        if len(names) == 1:
            self._codec = "ascii" if names[0] in {"", "ISO_IR 6"} else python_encoding.get(names[0], "ascii")
            if names[0].startswith("ISO 2022"):
                self._codec = None
        if self._codec is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._encodings = list(convert_encodings(names))

    def decode(self, value: bytes) -> str:
        """Decode one value, trailing padding removed."""
        if self._codec is not None:
            text = value.decode(self._codec, errors="backslashreplace")
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                text = str(decode_bytes(value, self._encodings, _DELIMITERS))
        return text.rstrip("\0 ")
