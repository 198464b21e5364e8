"""Kinds of characters in words such as `Arabic letters`: what may be told of a text without telling the text."""

import unicodedata
from collections.abc import Iterable

_KINDS = {"Sc": "currency signs", "Sm": "mathematical signs", "So": "symbols", "Sk": "symbols", "Cc": "control codes"}


def kind_of(character: str) -> str:
    """The kind of one character, in the plural."""
    category = unicodedata.category(character)
    if category.startswith("L"):
        script = unicodedata.name(character, "other").split()[0]
        return f"{script.title()} letters" if script.isalpha() else "other letters"
    if category.startswith("P"):
        return "punctuation"
    return _KINDS.get(category, "other characters")


def kinds_of(characters: Iterable[str]) -> str:
    """The kinds of several, each once, in order of the alphabet."""
    return ", ".join(sorted({kind_of(character) for character in characters}))
