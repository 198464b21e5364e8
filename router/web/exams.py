"""Exam code maps with their coverage, pathways, and what was learned of reading times."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from router.code_map import ExamCodeRow, doubles, read_numbered_rows, unknown_pathways
from router.config import SessionKindName
from router.model.errors import Invalid, NotFound
from router.model.exam import Exam
from router.model.record import Entry
from router.store.seeding import exam_of
from router.store.transaction import SqlTransaction
from router.web.errors import responses
from router.web.messages import Request
from router.web.rota_messages import RemarkView
from router.web.security import Admin, Staff
from router.web.services import Services, WithServices

router = APIRouter()

Trust = Annotated[str, Path(pattern=r"^[A-Z0-9]{3,6}$", description="The trust's ODS code")]


class CodeMapBody(Request):
    """The whole map: what it does not hold goes to a person."""

    codes: list[ExamCodeRow] = Field(max_length=50_000)


class CodeMapView(BaseModel):
    trust: str
    codes: list[ExamCodeRow]


class CodesImportBody(Request):
    """The whole map as CSV, with a header."""

    text: str = Field(max_length=10_000_000)
    dry_run: bool = False


class CodesImportView(BaseModel):
    """All or nothing: with one refused row the map stays as it was."""

    trust: str
    taken: int
    refused: list[RemarkView]
    warnings: list[RemarkView]
    dry_run: bool


class UnmappedCodeView(BaseModel):
    code: str
    scheme: str | None
    studies: int


class CoverageView(BaseModel):
    """How much of what the trust sent its code map knows."""

    trust: str
    since: datetime
    mapped_codes: int
    studies: int
    mapped_studies: int
    uncoded_studies: int = Field(description="Without any code: the exam table looks them up by modality")
    share: float | None = Field(description="Of the studies with a code; none when there were none")
    unmapped: list[UnmappedCodeView] = Field(description="The most frequent first")


class PathwayView(BaseModel):
    id: str
    target_minutes: float
    weight: float
    acute: bool
    may_wait: bool = Field(description="Makes room for others when not all can be in time")
    session_kinds: list[SessionKindName]


class GroupTimeView(BaseModel):
    """What was learned of an exam group's reading time, a log-normal."""

    exam_group: str
    prior_minutes: float = Field(description="What the code maps say")
    median_minutes: float
    sigma: float
    reads: int
    learned_at: datetime


@router.get("/trusts/{trust}/exam-codes", tags=["exams"], summary="A trust's code map", responses=responses(404))
def get_codes(trust: Trust, services: WithServices, _caller: Staff) -> CodeMapView:
    """Every local code and what it stands for; empty where the trust has no map."""
    with services.store.read() as tx:
        _known(tx, trust)
        return CodeMapView(trust=trust, codes=[_row(exam) for exam in tx.exams.of_trust(trust)])


@router.put("/trusts/{trust}/exam-codes", tags=["exams"], summary="Replace a code map", responses=responses(404))
def put_codes(trust: Trust, body: CodeMapBody, services: WithServices, caller: Admin) -> CodeMapView:
    """Replace the whole map. A code with two targets is refused."""
    numbered = list(enumerate(body.codes, start=1))
    problems = [*doubles(numbered), *unknown_pathways(numbered, services.settings.routing.priorities)]
    with services.store.write() as tx:
        if problems:
            raise Invalid("; ".join(f"codes.{problem.row - 1}: {problem.reason}" for problem in problems[:20]))
        _replace(tx, services, trust, body.codes, caller.name)
        return CodeMapView(trust=trust, codes=[_row(exam) for exam in tx.exams.of_trust(trust)])


@router.post("/trusts/{trust}/exam-codes/import", tags=["exams"], summary="Import a code map", responses=responses(404))
def import_codes(trust: Trust, body: CodesImportBody, services: WithServices, caller: Admin) -> CodesImportView:
    """Replace the whole map by a CSV file, if no row of it is refused."""
    numbered, problems = read_numbered_rows(body.text, services.settings.routing.priorities)
    rows = [row for _, row in numbered]
    with services.store.write() as tx:
        _known(tx, trust)
        warnings = _without_specialists(tx, numbered)
        if not problems and not body.dry_run:
            _replace(tx, services, trust, rows, caller.name)
    return CodesImportView(
        trust=trust,
        taken=0 if problems else len(rows),
        refused=[RemarkView(row=str(p.row), reason=p.reason) for p in problems],
        warnings=warnings,
        dry_run=body.dry_run,
    )


@router.get(
    "/trusts/{trust}/exam-codes/coverage", tags=["exams"], summary="What the map covers", responses=responses(404)
)
def get_coverage(
    trust: Trust,
    services: WithServices,
    _caller: Staff,
    days: Annotated[int, Query(ge=1, le=3660, description="So many days back")] = 90,
) -> CoverageView:
    """Of the studies that settled in the last days, how many had a code that is mapped; and the codes that are not."""
    since = services.now() - timedelta(days=days)
    with services.store.read() as tx:
        _known(tx, trust)
        coverage = tx.exams.coverage(trust, since)
    return CoverageView(
        trust=trust,
        since=since,
        mapped_codes=coverage.mapped_codes,
        studies=coverage.studies,
        mapped_studies=coverage.mapped_studies,
        uncoded_studies=coverage.uncoded_studies,
        share=coverage.share,
        unmapped=[UnmappedCodeView(code=c, scheme=s, studies=n) for c, s, n in coverage.unmapped],
    )


@router.get("/pathways", tags=["exams"], summary="Pathways and their targets", responses=responses())
def get_pathways(services: WithServices, _caller: Staff) -> list[PathwayView]:
    """The shortest target first."""
    with services.store.read() as tx:
        return [
            PathwayView(
                id=p.id,
                target_minutes=p.target_minutes,
                weight=p.weight,
                acute=p.acute,
                may_wait=p.may_wait,
                session_kinds=[kind.value for kind in sorted(p.session_kinds)],
            )
            for p in tx.exams.pathways()
        ]


@router.get("/reading-times", tags=["exams"], summary="Learned reading times", responses=responses())
def get_reading_times(services: WithServices, _caller: Staff) -> list[GroupTimeView]:
    """By exam group; a reader's own speed is with the reader."""
    with services.store.read() as tx:
        times = tx.exams.group_times()
    return [GroupTimeView(**{name: getattr(time, name) for name in GroupTimeView.model_fields}) for time in times]


def _replace(tx: SqlTransaction, services: Services, trust: str, rows: Sequence[ExamCodeRow], by: str) -> None:
    _known(tx, trust)
    tx.exams.replace_map(trust, [exam_of(trust, row) for row in rows])
    tx.ledger.append(Entry("exam_codes.replaced", services.now(), by, detail={"trust": trust, "codes": len(rows)}))


def _known(tx: SqlTransaction, trust: str) -> None:
    if trust not in {known.ods_code for known in tx.network.trusts()}:
        raise NotFound("no such trust")


def _without_specialists(tx: SqlTransaction, rows: Sequence[tuple[int, ExamCodeRow]]) -> list[RemarkView]:
    """Exams for which the network has no reader: their reads would wait for ever."""
    readers = [reader for reader in tx.readers.all() if reader.active]
    warnings = []
    for number, row in rows:
        exam = exam_of("", row)
        able = any(
            exam.modality in reader.modalities
            and reader.levels.get(exam.subspecialty, 0) >= exam.minimum_level
            and reader.may_read_exam(exam.standard_code, exam.group)
            for reader in readers
        )
        if not able:
            needs = f"{row.modality}, {row.subspecialty}, {row.minimum_level}"
            reason = f"no active reader may read {row.local_code!r} ({needs})"
            warnings.append(RemarkView(row=str(number), reason=reason))
    return warnings


def _row(exam: Exam) -> ExamCodeRow:
    return ExamCodeRow.model_construct(
        local_code=exam.local_code,
        scheme=exam.scheme,
        standard_code=exam.standard_code,
        standard_scheme=exam.standard_scheme,
        group=exam.group,
        modality=exam.modality,
        body_part=exam.body_part,
        subspecialty=exam.subspecialty,
        minimum_level=exam.minimum_level.word,
        minutes=exam.expected_minutes,
        sigma=exam.sigma,
        pathway=exam.pathway,
    )
