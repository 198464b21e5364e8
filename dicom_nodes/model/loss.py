"""What a channel cannot carry of a report: said in words that hold nothing of the report itself."""

from dataclasses import dataclass
from enum import StrEnum


class LossKind(StrEnum):
    CHARACTERS = "characters"
    """Characters that the target's character set or font does not have."""
    LENGTH = "length"
    LAYOUT = "layout"
    """Line ends and blanks: the words and their order are the same."""
    STRUCTURE = "structure"
    """Something besides the text that the target has no place for."""
    TEXT = "text"
    """The words themselves differ."""


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing that does not arrive as it came. What changes the meaning is never sent (ADR 109)."""

    kind: LossKind
    words: str
    changes_meaning: bool

    def __str__(self) -> str:
        return f"{self.kind}: {self.words}"
