"""Readers and aid limits are held against the exams that are known now; what is kept already stands in nobody's way."""

from collections.abc import Iterable

from router.model.errors import Invalid
from router.model.reader import Reader
from router.rules.known_exams import (
    ExamNames,
    KnownExams,
    group_problems,
    modality_problems,
    scope_problems,
    subspecialty_problems,
)
from router.store.transaction import SqlTransaction
from router.web.services import Services


def refuse_unknown_exams(tx: SqlTransaction, services: Services, reader: Reader, before: Reader | None) -> None:
    """Raises Invalid for the first name that is new with this reader and that no exam has.

    A name from before stays: a reader must be changeable, and be put out of work, whatever became of the exam table.
    """
    known = _known(tx, services)
    had = frozenset[str]() if before is None else before.subspecialties
    could = frozenset[str]() if before is None else before.modalities
    might = frozenset[str]() if before is None or before.exam_scope is None else before.exam_scope
    _refuse("subspecialties", subspecialty_problems(known, reader.subspecialties - had))
    _refuse("modalities", modality_problems(known, reader.modalities - could))
    _refuse("exam_scope", scope_problems(known, (reader.exam_scope or frozenset()) - might))


def refuse_unknown_groups(tx: SqlTransaction, services: Services, **by_field: Iterable[str]) -> None:
    """Raises Invalid for the first exam group that no exam has: its limit would limit nothing."""
    known = _known(tx, services)
    for field, groups in by_field.items():
        _refuse(field, group_problems(known, groups))


def _known(tx: SqlTransaction, services: Services) -> KnownExams:
    return KnownExams.of(services.settings.routing, (ExamNames(*names) for names in tx.exams.names()))


def _refuse(field: str, problems: Iterable[str]) -> None:
    for problem in problems:
        raise Invalid(f"{field}: {problem}")
