"""Decode text values by Specific Character Set (DICOM PS3.3 C.12.1.1.2), never replacing a character silently.

A byte that the declared character set does not have, and a NUL inside a value, show as `<E9>`: visible, nothing is
guessed, and the same bytes give the same text wherever they are read, in an image or in a query. The form holds no
character that means something in a value or a key (backslash, caret, equals sign, wildcards), is ASCII so that every
system downstream can carry it, and a person sees which byte it was (ADR 031).
"""

import codecs
import re
import warnings

from pydicom.charset import CODES_TO_ENCODINGS, convert_encodings, default_encoding, handled_encodings, python_encoding

_MARKED = "dicom_nodes.marked"
_DELIMITERS = re.compile(rb"[\r\n\t\f\\]")
_FRAGMENTS = re.compile(rb"^[^\x1b]+|\x1b[^\x1b]*")
_FOUR_BYTES_LONG = (b"\x1b$(", b"\x1b$)")


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(f"<{byte:02X}>" for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_MARKED, _mark)


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
        """Decode one element's value, trailing padding removed; several values are parted by backslashes.

        A backslash in the text is a delimiter: where the byte 0x5C is half of a character (GBK, GB18030, Shift JIS,
        ISO 2022 IR 87) the codec has taken it, so values are told apart behind the codec and not before it.
        """
        text = self._text(value, _MARKED).rstrip("\0 ")
        if "\0" not in text:
            return text
        return "\\".join(part.strip("\0 ") for part in text.split("\\")).replace("\0", "<00>")

    def is_readable(self, value: bytes) -> bool:
        """Whether the declared character set has every byte of the value, and no NUL stands inside one."""
        try:
            text = self._text(value, "strict")
        except UnicodeDecodeError:
            return False
        return not any("\0" in part.strip("\0 ") for part in text.split("\\"))

    def _text(self, value: bytes, errors: str) -> str:
        if self._codec is not None:
            return value.decode(self._codec, errors)
        return "".join(self._fragment(fragment, errors) for fragment in _FRAGMENTS.findall(value))

    def _fragment(self, fragment: bytes, errors: str) -> str:
        """A part of the value up to the next escape sequence (PS3.5 6.1.2.5); a delimiter ends what it switched to."""
        size = 4 if fragment.startswith(_FOUR_BYTES_LONG) else 3
        encoding = CODES_TO_ENCODINGS.get(fragment[:size])
        if encoding is None or (encoding not in self._encodings and encoding != default_encoding):
            return fragment.decode(self._declared(self._encodings[0]), errors)
        if encoding in handled_encodings:  # Python's codec reads the escape sequence itself
            return fragment.decode(encoding, errors)
        delimiter = _DELIMITERS.search(fragment, size)
        end = delimiter.start() if delimiter else len(fragment)
        behind = fragment[end:].decode(self._declared(self._encodings[0]), errors)
        return fragment[size:end].decode(self._declared(encoding), errors) + behind

    def _declared(self, encoding: str) -> str:
        """ISO 646 is ASCII and not, as pydicom reads it, Latin-1; unless that is declared beside it."""
        return "ascii" if encoding == default_encoding and "latin_1" not in self._encodings else encoding
