"""Questions of capacity and demand: `--what-if` words, read into changes of a region."""

from dataclasses import dataclass, replace

from router.simulate.assumptions import Assumptions, Demand, RegionSettings
from router.simulate.region import GENERAL, Region
from router.simulate.staff import Person

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
FORMS = (
    "reader=TRUST:SUBSPECIALTY:DAY (one more consultant, morning and afternoon of that weekday)",
    "scanner-out=TRUST:MODALITY[:SHARE] (that share of its elective work is not made; 0.5 unless said)",
    "aid=HELPER>HELPED:MINUTES (a new agreement: minutes a day more that the helper may read for others)",
    "demand=TIMES[:EXAM or MODALITY] (demand times this, 1.05 is five per cent more)",
)


class BadQuestion(ValueError):
    """A `--what-if` that cannot be understood; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Everything asked at once."""

    said: tuple[str, ...] = ()
    readers: tuple[tuple[str, str, int], ...] = ()
    demand: tuple[Demand, ...] = ()
    aid: tuple[tuple[str, str, float], ...] = ()

    def applied_to(self, region: RegionSettings) -> RegionSettings:
        """The region with new agreements between trusts that did not read for each other."""
        trusts = list(region.trusts)
        for helper, helped, _ in self.aid:
            i = next(i for i, trust in enumerate(trusts) if trust.ods == helper)
            reads_for = trusts[i].reads_for
            if reads_for is not None and helped not in reads_for:
                trusts[i] = trusts[i].model_copy(update={"reads_for": [*reads_for, helped]})
        return region.model_copy(update={"trusts": trusts})

    def more_people(self, region: Region) -> tuple[Person, ...]:
        """Additional consultants; they come last, so that nobody else's random numbers change."""
        common = dict.fromkeys(region.subspecialties, 1)
        return tuple(
            Person(
                f"{ods}-W{i + 1}",
                region.trust_index(ods),
                False,
                specialty,
                {**common, GENERAL: 3, specialty: 3},
                1.0,
                ((day, 0), (day, 1)),
            )
            for i, (ods, specialty, day) in enumerate(self.readers)
        )

    def more_aid(self, region: Region) -> dict[int, float]:
        """Minutes a day by trust."""
        found: dict[int, float] = {}
        for helper, _, minutes in self.aid:
            trust = region.trust_index(helper)
            found[trust] = found.get(trust, 0.0) + minutes
        return found


def read_questions(said: list[str], assumptions: Assumptions, region_id: str) -> WhatIf:
    """Understand what was asked, or say what was expected.

    Raises:
        BadQuestion: with the word that is not understood and the forms there are.
    """
    found = WhatIf(tuple(said))
    for question in said:
        kind, equals, rest = question.partition("=")
        if not equals or kind not in ("reader", "scanner-out", "aid", "demand"):
            raise BadQuestion(f"--what-if {question}: expected one of\n  " + "\n  ".join(FORMS))
        found = _with(found, kind, rest, _Words(question, assumptions, region_id))
    return found


def _with(found: WhatIf, kind: str, rest: str, words: "_Words") -> WhatIf:
    if kind == "reader":
        ods, specialty, day = words.parts(rest, 3)
        more = (words.trust(ods), words.subspecialty(specialty), words.day(day))
        return replace(found, readers=(*found.readers, more))
    if kind == "aid":
        pair, minutes = words.parts(rest, 2)
        helper, _, helped = pair.partition(">")
        if helper == helped:
            raise BadQuestion(f"--what-if {words.question}: a trust needs no agreement with itself")
        agreement = (words.trust(helper), words.trust(helped), words.number(minutes, 0, 10_000))
        return replace(found, aid=(*found.aid, agreement))
    if kind == "scanner-out":
        return replace(found, demand=(*found.demand, *words.scanner_out(rest)))
    return replace(found, demand=(*found.demand, words.more_demand(rest)))


@dataclass(frozen=True, slots=True)
class _Words:
    """What the words of one question may mean."""

    question: str
    assumptions: Assumptions
    region_id: str

    def no(self, what: str, got: str, expected: object) -> BadQuestion:
        return BadQuestion(f"--what-if {self.question}: {what} {got!r} is unknown; expected {expected}")

    def parts(self, rest: str, number: int) -> list[str]:
        parts = rest.split(":")
        if len(parts) != number:
            raise BadQuestion(f"--what-if {self.question}: expected one of\n  " + "\n  ".join(FORMS))
        return parts

    def trust(self, ods: str) -> str:
        known = [trust.ods for trust in self.assumptions.regions[self.region_id].trusts]
        if ods not in known:
            raise self.no("trust", ods, f"of {', '.join(known)}")
        return ods

    def subspecialty(self, name: str) -> str:
        known = list(dict.fromkeys(exam.subspecialty for exam in self.assumptions.exams.values()))
        if name not in known:
            raise self.no("subspecialty", name, f"of {', '.join(known)}")
        return name

    def day(self, name: str) -> int:
        fitting = [i for i, day in enumerate(DAYS) if len(name) >= 3 and day.startswith(name.lower())]
        if not fitting:
            raise self.no("weekday", name, f"of {', '.join(DAYS)}")
        return fitting[0]

    def number(self, text: str, least: float, most: float) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise self.no("number", text, f"a number from {least:g} to {most:g}")
        return value

    def modality(self, name: str) -> str:
        known = list(dict.fromkeys(exam.modality for exam in self.assumptions.exams.values()))
        if name not in known:
            raise self.no("modality", name, f"of {', '.join(known)}")
        return name

    def scanner_out(self, rest: str) -> list[Demand]:
        ods, modality, *share = rest.split(":")[:3] if ":" in rest else (rest, "")
        lost = self.number(share[0], 0, 1) if share else 0.5
        elective = [name for name, pathway in self.assumptions.pathways.items() if pathway.source == "elective"]
        self.trust(ods)
        self.modality(modality)
        return [Demand(times=1 - lost, trust=ods, modality=modality, pathway=pathway) for pathway in elective]

    def more_demand(self, rest: str) -> Demand:
        times, _, what = rest.partition(":")
        value = self.number(times, 0, 10)
        if not what:
            return Demand(times=value)
        if what in self.assumptions.exams:
            return Demand(times=value, exam=what)
        return Demand(times=value, modality=self.modality(what))
