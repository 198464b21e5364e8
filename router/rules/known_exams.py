"""What exams the network knows, to hold readers and aid limits against: what is not among them matches nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from router.config import RoutingFile

_ONE_OF_THESE = "of the exam table or a code map"


@dataclass(frozen=True, slots=True)
class ExamNames:
    """What one entry of a code map names."""

    subspecialty: str
    group: str
    code: str


@dataclass(frozen=True, slots=True)
class KnownExams:
    """Each by its kind, `codes` the standard ones. Where there is no group at all, nothing is held against one."""

    subspecialties: frozenset[str]
    groups: frozenset[str]
    codes: frozenset[str]
    modalities: frozenset[str]

    @staticmethod
    def of(routing: RoutingFile, maps: Iterable[ExamNames]) -> "KnownExams":
        mapped, table = list(maps), routing.exams
        return KnownExams(
            subspecialties=frozenset({rule.subspecialty for rule in table} | {exam.subspecialty for exam in mapped}),
            groups=frozenset({rule.group for rule in table if rule.group} | {exam.group for exam in mapped}),
            codes=frozenset({rule.code for rule in table if rule.code} | {exam.code for exam in mapped}),
            modalities=frozenset(routing.readable_modalities),
        )


def subspecialty_problems(known: KnownExams, names: Iterable[str]) -> Iterator[str]:
    """What nobody will ever be asked to read."""
    for name in sorted(set(names) - known.subspecialties):
        yield f"expected a subspecialty {_ONE_OF_THESE}, got {name[:60]!r}"


def modality_problems(known: KnownExams, names: Iterable[str]) -> Iterator[str]:
    """What no study is routed with."""
    for name in sorted(set(names) - known.modalities):
        yield f"expected a readable modality of the exam table, got {name[:60]!r}"


def scope_problems(known: KnownExams, names: Iterable[str] | None) -> Iterator[str]:
    """What is in a reader's scope and stands for no exam: the reader is never given what was meant."""
    for name in sorted(set(names or ()) - known.groups - known.codes) if known.groups else ():
        yield f"expected an exam group or standard code {_ONE_OF_THESE}, got {name[:60]!r}"


def group_problems(known: KnownExams, names: Iterable[str]) -> Iterator[str]:
    """Groups of aid limits that would limit nothing."""
    for name in sorted(set(names) - known.groups) if known.groups else ():
        yield f"expected an exam group {_ONE_OF_THESE}, got {name[:60]!r}"
