"""Whether a version of a report may still be sent where another was filed (HAZARDS 10; DESIGN.md promise 7).

P, F and C never go backwards, and no older version follows a newer one: a RIS shows what it took last.
"""

from dataclasses import dataclass

_ORDER = {"X": -1, "P": 0, "F": 1, "C": 2}
"""HL7 table 0085. A cancellation may follow anything, and does not undo what had been final before it."""
_WORDS = {"F": "final", "C": "corrected"}


@dataclass(frozen=True, slots=True)
class Filed:
    """What one channel has acknowledged of a study's reports: the highest version, and the furthest status."""

    version: int
    status: str

    def and_also(self, version: int, status: str) -> "Filed":
        """The same after another acknowledgement."""
        return Filed(max(self.version, version), max(self.status, status, key=_ORDER.__getitem__))


def goes_backwards(version: int, status: str, filed: Filed | None) -> str | None:
    """Why a report must not be sent any more, in words; None when it may, also as a repeat of what is filed."""
    if filed is None:
        return None
    if version < filed.version:
        return f"a newer version ({filed.version}) was already filed"
    if status != "X" and _ORDER[status] < _ORDER[filed.status]:
        return f"a {_WORDS[filed.status]} report was already filed, and this one has status {status}"
    return None
