"""A trust's exam code map as people write it: rows of a CSV file, every problem told with its row.

A code with two targets is nobody's to choose: the file is refused until a person says which one is right.
"""

import csv
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Modality = Annotated[str, Field(pattern=r"^[A-Z0-9_]{1,16}$")]
ExamGroup = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]{0,39}$")]
PathwayId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]{0,39}$")]
LevelName = Literal["general", "special_interest", "specialist"]

_LONGEST_FILE_ROWS = 50_000


class ExamCodeRow(BaseModel):
    """One local code and what it stands for; `minutes` are the median, `sigma` the spread of their logarithm."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, str_strip_whitespace=True)

    local_code: str = Field(min_length=1, max_length=64)
    scheme: str | None = Field(default=None, min_length=1, max_length=64, description="of the local code; none: any")
    standard_code: str = Field(min_length=1, max_length=64)
    standard_scheme: Literal["NICIP", "SNOMED CT"]
    group: ExamGroup
    modality: Modality
    body_part: str | None = Field(default=None, min_length=1, max_length=64)
    subspecialty: str = Field(min_length=1, max_length=64)
    minimum_level: LevelName = "general"
    minutes: float = Field(gt=0, le=1440)
    sigma: float = Field(default=0.5, gt=0, le=3)
    pathway: PathwayId

    @property
    def target(self) -> tuple[str, str]:
        return self.standard_scheme, self.standard_code


@dataclass(frozen=True, slots=True)
class RowProblem:
    """`row` counts as a spreadsheet does: the header is row 1."""

    row: int
    reason: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.reason}"


def read_code_map(
    text: str, pathways: Collection[str] | None = None
) -> tuple[tuple[ExamCodeRow, ...], tuple[RowProblem, ...]]:
    """The rows of the CSV text, and every problem; a map with problems must not be used.

    `pathways` are those a row may name; None leaves that to the caller.
    """
    numbered, problems = read_numbered_rows(text, pathways)
    return tuple(row for _, row in numbered), problems


def read_numbered_rows(
    text: str, pathways: Collection[str] | None = None
) -> tuple[tuple[tuple[int, ExamCodeRow], ...], tuple[RowProblem, ...]]:
    """The same with each row's number, as a spreadsheet counts: what is remarked of it later can say where it is."""
    reader = csv.reader(text.removeprefix("\ufeff").splitlines())
    header = [name.strip() for name in next(reader, [])]
    if problem := _header_problem(header):
        return (), (RowProblem(1, problem),)
    rows: list[tuple[int, ExamCodeRow]] = []
    problems: list[RowProblem] = []
    try:
        for number, cells in enumerate(reader, start=2):
            if not any(cell.strip() for cell in cells):
                continue
            if number > _LONGEST_FILE_ROWS:
                problems.append(RowProblem(number, f"expected at most {_LONGEST_FILE_ROWS} rows"))
                break
            if len(cells) != len(header):
                problems.append(
                    RowProblem(number, f"expected {len(header)} columns as in the header, got {len(cells)}")
                )
                continue
            given = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}
            try:
                rows.append((number, ExamCodeRow.model_validate(given)))
            except ValidationError as error:
                problems += (RowProblem(number, reason) for reason in reasons_in(error))
    except csv.Error as error:
        problems.append(RowProblem(reader.line_num, f"is not CSV: {error}"))
    problems += doubles(rows)
    problems += () if pathways is None else unknown_pathways(rows, pathways)
    return tuple(rows), tuple(sorted(problems, key=lambda problem: problem.row))


def doubles(rows: Sequence[tuple[int, ExamCodeRow]]) -> Iterator[RowProblem]:
    """Local codes that are there twice: with two targets, or with the same one."""
    first: dict[tuple[str, str | None], tuple[int, ExamCodeRow]] = {}
    for number, row in rows:
        key = (row.local_code, row.scheme)
        before, known = first.setdefault(key, (number, row))
        if before == number:
            continue
        if known.target != row.target:
            targets = f"{' '.join(known.target)} in row {before}, and {' '.join(row.target)} here"
            yield RowProblem(number, f"local code {row.local_code!r} has two targets: {targets}")
        else:
            yield RowProblem(number, f"local code {row.local_code!r} is in row {before} already")


def unknown_pathways(rows: Sequence[tuple[int, ExamCodeRow]], pathways: Collection[str]) -> Iterator[RowProblem]:
    """Rows whose pathway is none of the network's."""
    expected = ", ".join(sorted(pathways))
    for number, row in rows:
        if row.pathway not in pathways:
            yield RowProblem(number, f"pathway: expected one of {expected}, got {row.pathway!r}")


def reasons_in(error: ValidationError) -> Iterator[str]:
    """What is wrong with a row, by column, and what was expected."""
    for detail in error.errors():
        column = ".".join(str(part) for part in detail["loc"]) or "(row)"
        if detail["type"] == "missing":
            yield f"{column}: is empty"
        else:
            yield f"{column}: {detail['msg'].removeprefix('Value error, ')}, got {_shown(detail['input'])}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _header_problem(header: Sequence[str]) -> str | None:
    fields = ExamCodeRow.model_fields
    required = [name for name, field in fields.items() if field.is_required()]
    unknown = [name for name in header if name not in fields]
    missing = [name for name in required if name not in header]
    if unknown:
        return f"unknown column {', '.join(map(repr, unknown))}; expected columns of {', '.join(fields)}"
    if len(set(header)) != len(header):
        return "a column is there twice"
    return f"missing column {', '.join(missing)}" if missing else None
