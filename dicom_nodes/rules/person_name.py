"""How person names are compared: without regard to case and diacritics (allowed by DICOM PS3.4 C.2.2.2.1)."""

import unicodedata
from functools import lru_cache

_WITHOUT_DECOMPOSITION = str.maketrans(
    {"ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ħ": "h", "ŧ": "t"}
    | dict.fromkeys("\u2018\u2019\u02bc", "'")
)


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Case-folded, without diacritics, spaces around components and empty trailing ones; all apostrophes are one.

    `O’Łukasz ^Siân^^` gives `o'lukasz^sian`. Several names stay parted by their backslashes, each folded by itself.

    The wildcards `*` and `?` pass unchanged, so a key and a stored name are folded alike.
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_WITHOUT_DECOMPOSITION))
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return "\\".join(_trimmed(name) for name in bare.split("\\"))


def _trimmed(name: str) -> str:
    groups = (group.split("^") for group in name.split("="))
    return "=".join("^".join(component.strip(" ") for component in group).rstrip("^") for group in groups).rstrip("=")
