"""Exam code maps, pathways and learned reading times in the database."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select

from dicom_nodes.foundation.inserts import unless_there
from router.model.exam import Coverage, Exam, GroupTime, ReadingTime, TimeSums
from router.model.pathway import Pathway
from router.model.reader import Level
from router.model.session import SessionKind
from router.store import tables as t
from router.store.memo import Kind, Memo
from router.store.statements import upserting
from router.store.unwritten import Unwritten

_ANY = ""

_PATHWAYS = select(t.pathway).order_by(t.pathway.c.target_minutes, t.pathway.c.id)


class SqlExams:
    def __init__(self, connection: Unwritten, memo: Memo) -> None:
        self._connection, self._memo = connection, memo

    def of_trust(self, trust: str) -> Sequence[Exam]:
        query = select(t.exam_code).where(t.exam_code.c.trust == trust)
        order = (t.exam_code.c.local_code, t.exam_code.c.scheme)
        return [_exam(row) for row in self._connection.execute(query.order_by(*order))]

    def find(self, trust: str, local_code: str, scheme: str | None) -> Exam | None:
        c = t.exam_code.c
        this = (c.trust == trust, c.local_code == local_code, c.scheme.in_({scheme or _ANY, _ANY}))
        rows = self._connection.execute(select(t.exam_code).where(*this).order_by(c.scheme.desc()))
        return next((_exam(row) for row in rows), None)

    def replace_map(self, trust: str, exams: Sequence[Exam]) -> None:
        self._connection.execute(delete(t.exam_code).where(t.exam_code.c.trust == trust))
        if exams:
            self._connection.execute(insert(t.exam_code), [_values(exam) for exam in exams])

    def has_map(self, trust: str) -> bool:
        query = select(t.exam_code.c.trust).where(t.exam_code.c.trust == trust).limit(1)
        return self._connection.execute(query).first() is not None

    def coverage(self, trust: str, since: datetime) -> Coverage:
        exams = self.of_trust(trust)
        known = {(exam.local_code, exam.scheme) for exam in exams}
        s, v = t.study, t.study_revision
        first = v.c.revision == select(func.min(v.c.revision)).where(
            v.c.study_instance_uid == s.c.study_instance_uid
        ).scalar_subquery().correlate(s)
        query = select(s.c.exam_code).select_from(s.join(v)).where(s.c.origin == trust, first, v.c.settled_at >= since)
        seen: Counter[tuple[str, str | None] | None] = Counter(
            None if row.exam_code is None else (row.exam_code[0], row.exam_code[1])
            for row in self._connection.execute(query)
        )
        uncoded = seen.pop(None, 0)
        mapped = sum(n for code, n in seen.items() if code is not None and _knows(known, *code))
        unmapped = [(*code, n) for code, n in seen.items() if code is not None and not _knows(known, *code)]
        unmapped.sort(key=lambda found: (-found[2], found[0], found[1] or ""))
        return Coverage(trust, len(exams), sum(seen.values()) + uncoded, mapped, uncoded, tuple(unmapped))

    def names(self) -> Sequence[tuple[str, str, str]]:
        """(subspecialty, group, standard code) of all maps, each once."""
        c = t.exam_code.c
        rows = self._connection.execute(select(c.subspecialty, c.exam_group, c.standard_code).distinct())
        return [(row[0], row[1], row[2]) for row in rows]

    def groups(self) -> Sequence[tuple[str, float]]:
        c = t.exam_code.c
        query = select(c.exam_group, c.standard_code, func.avg(c.expected_minutes)).group_by(
            c.exam_group, c.standard_code
        )
        return [(row[0], float(row[2])) for row in self._connection.execute(query.order_by(c.exam_group))]

    def pathways(self) -> Sequence[Pathway]:
        return self._memo.of(Kind.PATHWAYS, None, self._pathways)

    def _pathways(self) -> tuple[Pathway, ...]:
        return tuple(_pathway(row) for row in self._connection.execute(_PATHWAYS))

    def put_pathway(self, pathway: Pathway) -> None:
        values = {
            "id": pathway.id,
            "target_minutes": pathway.target_minutes,
            "weight": pathway.weight,
            "acute": pathway.acute,
            "may_wait": pathway.may_wait,
            "session_kinds": sorted(pathway.session_kinds),
        }
        self._connection.execute(upserting(t.pathway, ("id",), tuple(values)), values)

    def add_time(self, time: ReadingTime) -> bool:
        values = {name: getattr(time, name) for name in time.__slots__}
        return self._connection.execute_noted(unless_there(t.reading_time, tuple(values)), values).rowcount == 1

    def time_sums(self, since: datetime) -> Sequence[TimeSums]:
        c = t.reading_time.c
        query = (
            select(
                c.reader_id,
                c.exam_group,
                func.count(),
                func.sum(c.log_minutes),
                func.sum(c.log_minutes * c.log_minutes),
            )
            .where(c.at >= since)
            .group_by(c.reader_id, c.exam_group)
            .order_by(c.reader_id, c.exam_group)
        )
        return [
            TimeSums(row[0], row[1], row[2], float(row[3]), float(row[4])) for row in self._connection.execute(query)
        ]

    def group_times(self) -> Sequence[GroupTime]:
        rows = self._connection.execute(select(t.group_time).order_by(t.group_time.c.exam_group))
        return [GroupTime(**row._mapping) for row in rows]

    def put_group_time(self, time: GroupTime) -> None:
        values = {name: getattr(time, name) for name in time.__slots__}
        self._connection.execute(upserting(t.group_time, ("exam_group",), tuple(values)), values)


def _knows(known: set[tuple[str, str | None]], code: str, scheme: str | None) -> bool:
    return (code, scheme) in known or (code, None) in known


def _values(exam: Exam) -> dict[str, Any]:
    return {
        "trust": exam.trust,
        "local_code": exam.local_code,
        "scheme": exam.scheme or _ANY,
        "standard_code": exam.standard_code,
        "standard_scheme": exam.standard_scheme,
        "exam_group": exam.group,
        "modality": exam.modality,
        "body_part": exam.body_part,
        "subspecialty": exam.subspecialty,
        "minimum_level": int(exam.minimum_level),
        "expected_minutes": exam.expected_minutes,
        "sigma": exam.sigma,
        "pathway": exam.pathway,
    }


def _exam(row: Row[Any]) -> Exam:
    return Exam(
        trust=row.trust,
        local_code=row.local_code,
        standard_code=row.standard_code,
        standard_scheme=row.standard_scheme,
        group=row.exam_group,
        modality=row.modality,
        subspecialty=row.subspecialty,
        expected_minutes=row.expected_minutes,
        body_part=row.body_part,
        minimum_level=Level(row.minimum_level),
        sigma=row.sigma,
        scheme=row.scheme or None,
        pathway=row.pathway,
    )


def _pathway(row: Row[Any]) -> Pathway:
    kinds = frozenset(SessionKind(kind) for kind in row.session_kinds)
    return Pathway(row.id, row.target_minutes, row.weight, row.acute, kinds, row.may_wait)
