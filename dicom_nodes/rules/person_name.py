"""How person names are compared: without regard to case and diacritics (allowed by DICOM PS3.4 C.2.2.2.1)."""

import unicodedata
from functools import lru_cache

_WITHOUT_DECOMPOSITION = str.maketrans(
    {"ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ħ": "h", "ŧ": "t"}
)


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Case-folded, without diacritics, without empty trailing components: `Łukasz^Siân^^` gives `lukasz^sian`.

    The wildcards `*` and `?` pass unchanged, so a key and a stored name are folded alike.
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_WITHOUT_DECOMPOSITION))
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return "=".join(group.rstrip("^ ").lstrip(" ") for group in bare.split("=")).rstrip("=")
