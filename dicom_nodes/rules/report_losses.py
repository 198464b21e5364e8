"""What a channel lost of a report, judged from what came in and what its receiver will read (ADR 109; HAZARDS 14, 15).

Only line ends are normalised before the two are compared. What a writer replaced on purpose is allowed only where the
replacement says the same: plain quotation marks for curly ones, a symbol's name for the symbol. Everything else that
differs changes the meaning, and a report that would change is not sent. No sentence here quotes the report.
"""

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from dicom_nodes.foundation.line_ends import one_line_end
from dicom_nodes.model.loss import Loss, LossKind
from dicom_nodes.rules.character_kinds import kinds_of

TYPOGRAPHY: Mapping[str, str] = {
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "“": '"', "”": '"', "„": '"', "‐": "-", "‑": "-", "–": "-", "—": "-",
    "−": "-", "…": "...", "•": "*", "\u00a0": " ", "\u2009": " ", "\u202f": " ", "×": "x", "±": "+/-", "≤": "<=",
    "≥": ">=", "→": "->", "←": "<-",
}  # fmt: skip
"""Signs and the plain characters that say the same. No raised or lowered digit and no fraction: 10² is not 102."""
_INVISIBLE = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufe0e\ufe0f\ufeff")
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN", "RLE", "RLO", "RLI"})


def losses_of_text(came: str, arrived: str, substitutions: Mapping[str, str] | None = None) -> tuple[Loss, ...]:
    """Compare the text that came in with the text that a receiver decodes from the very bytes that leave."""
    replaced = substitutions or {}
    losses = list(_of_substitutions(came, replaced))
    expected, read = one_line_end(with_stand_ins(came, replaced)), one_line_end(arrived)
    if expected != read:
        losses.append(_difference(expected.split() == read.split()))
    return tuple(losses)


def losses_of_page(came: str, arrived: str, substitutions: Mapping[str, str] | None = None) -> tuple[Loss, ...]:
    """The same for a printed page, which breaks lines where they are full and shows no blanks.

    A page has right-to-left writing in the order in which it is seen: there, each character is counted instead.
    """
    replaced = substitutions or {}
    losses = list(_of_substitutions(came, replaced))
    expected, read = (visible(text) for text in (with_stand_ins(came, replaced), arrived))
    same = expected == read
    if not same and is_right_to_left(expected):
        same = Counter(expected) == Counter(read)
    if not same:
        losses.append(_difference(only_layout=False))
    return tuple(losses)


def is_right_to_left(text: str) -> bool:
    """Whether any of it is written from right to left."""
    return not text.isascii() and any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text)


def lacking(characters: Collection[str], where: str) -> tuple[Loss, ...]:
    """The loss of characters that the target has no place for at all; `where` is a field or an attribute."""
    if not characters:
        return ()
    return (Loss(LossKind.CHARACTERS, f"{where} holds {kinds_of(characters)} that cannot be written there", True),)


def name_of_symbol(character: str) -> str | None:
    """What is written for a symbol that a font lacks, such as `[thumbs up sign]`; None for what is no symbol."""
    if unicodedata.category(character) not in {"So", "Sk"}:
        return None
    name = unicodedata.name(character, "")
    return f"[{name.lower()}]" if name else None


def stand_in(character: str) -> str | None:
    """What may stand for a character without a change of meaning: its typographic equal, its name, or nothing."""
    if character in _INVISIBLE:
        return ""
    return TYPOGRAPHY.get(character) or name_of_symbol(character)


def with_stand_ins(text: str, substitutions: Mapping[str, str]) -> str:
    """The text with each character replaced by what stands for it."""
    return "".join(substitutions.get(character, character) for character in text) if substitutions else text


def harmful(losses: Iterable[Loss]) -> tuple[Loss, ...]:
    """Those that change the meaning."""
    return tuple(loss for loss in losses if loss.changes_meaning)


def why_not_sent(channel: str, losses: Sequence[Loss]) -> str | None:
    """The loss report as the reason why a report waits for a person; None where it may be sent."""
    if not harmful(losses):
        return None
    told = "; ".join(map(str, losses))
    return f"{channel}: the report would not arrive as it is ({told}); nothing was sent"


def _of_substitutions(came: str, substitutions: Mapping[str, str]) -> Iterable[Loss]:
    used = set(came).intersection(substitutions)
    same = {character for character in used if substitutions[character] == stand_in(character)}
    if same:
        words = f"{kinds_of(same)} written in plain characters ({_often(came, same)})"
        yield Loss(LossKind.CHARACTERS, words, changes_meaning=False)
    if used - same:
        words = f"{kinds_of(used - same)} that cannot be written ({_often(came, used - same)})"
        yield Loss(LossKind.CHARACTERS, words, changes_meaning=True)


def _often(text: str, characters: Collection[str]) -> str:
    times = sum(text.count(character) for character in characters)
    return "once" if times == 1 else f"{times} times"


def _difference(only_layout: bool) -> Loss:
    if only_layout:
        return Loss(LossKind.LAYOUT, "line ends or blanks are not where they were; the words are the same", False)
    return Loss(LossKind.TEXT, "the text would not read back as it is", changes_meaning=True)


def visible(text: str) -> str:
    """Letters as a page has them: ligatures and presentation forms taken apart, no blanks, nothing invisible."""
    plain = unicodedata.normalize("NFKC", text)
    return "".join(character for character in plain if not character.isspace() and not is_invisible(character))


def is_invisible(character: str) -> bool:
    """Whether nothing is to be seen of it: marks of direction, joiners, control codes."""
    return unicodedata.category(character) in {"Cf", "Cc"} or character in _INVISIBLE
