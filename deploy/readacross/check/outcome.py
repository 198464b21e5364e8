"""What came of asking a partner, in words that say what to do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question to one partner. `question` is such as C-ECHO; `words` say how it went, or why not."""

    file: str
    partner: str
    question: str
    ok: bool
    words: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An outcome before it is known who asked whom."""

    question: str
    ok: bool
    words: str
