"""What must become of each letter, told from the decisions on paper (ADR 011, 070, 111) and not by the product's code.

A router that is asked the same in another order answers otherwise, so this follows the order in which letters are sent.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tests.network.proof.letters import Kind, Letter

Outcome = Literal["ACCEPTED", "DROPPED", "WAITING"]


@dataclass(frozen=True, slots=True)
class Version:
    """A report that the origin is owed; `pieces` are what stands, then each addition to it."""

    kind: Kind
    text: str
    written_s: int
    pieces: tuple[str, ...]

    @property
    def status(self) -> str:
        """HL7 table 0085: what a RIS gets; one that replaces a report by the newest gets an addendum as C."""
        return "C" if self.kind == "addendum" else self.kind

    def is_said_by(self, text: str) -> bool:
        """Whether this is, to the last character, what arrived, but for the line that says who added what follows."""
        additions = "".join(r"\n\nAddendum by [^\n]*\(C\d{7}\), [^\n]*:\n" + re.escape(one) for one in self.pieces[1:])
        return re.fullmatch(re.escape(self.pieces[0]) + additions, text) is not None


@dataclass(slots=True)
class Expected:
    """Of one case: its versions in order, and what became of each letter that is not a repeat of the same bytes."""

    versions: list[Version] = field(default_factory=list)
    outcomes: list[tuple[Letter, Outcome]] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def take(self, letter: Letter) -> None:
        """One more letter arrives."""
        if letter.control_id in self._seen:
            return
        self._seen.add(letter.control_id)
        outcome = self._outcome(letter)
        self.outcomes.append((letter, outcome))
        if outcome == "ACCEPTED":
            before = self.versions[-1].pieces if self.versions else ()
            pieces = (*before, letter.text) if letter.kind == "addendum" else (letter.text,)
            self.versions.append(Version(letter.kind, letter.text, letter.written_s, pieces))

    def _outcome(self, letter: Letter) -> Outcome:
        if letter.kind == "stranger":
            return "WAITING"
        is_final = any(version.kind != "P" for version in self.versions)
        is_known = any((one.kind, one.text) == (letter.kind, letter.text) for one in self.versions)
        is_older = any(version.written_s > letter.written_s for version in self.versions)
        if not is_final:
            if letter.kind in {"C", "addendum"}:
                return "WAITING"
            return "DROPPED" if is_known else "ACCEPTED"
        if letter.kind == "P" or is_known:
            return "DROPPED"
        return "WAITING" if letter.kind == "F" or is_older else "ACCEPTED"

    def to_be_written_again(self) -> list[Letter]:
        """Letters that waited because they overtook what they change, and whose words are in no version."""
        said = {version.text for version in self.versions}
        waited = {
            one.text: one for one, outcome in self.outcomes if outcome == "WAITING" and one.kind in {"C", "addendum"}
        }
        return [letter for text, letter in waited.items() if text not in said]


def expected_of(letters: Iterable[Letter], cases: int) -> list[Expected]:
    """By case."""
    found = [Expected() for _ in range(cases)]
    for letter in letters:
        found[letter.case].take(letter)
    return found


def outcomes_of(expected: Sequence[Expected]) -> Counter[tuple[str, str]]:
    """(text, outcome) → how many different messages."""
    return Counter((letter.text, outcome) for one in expected for letter, outcome in one.outcomes)
