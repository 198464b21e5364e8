"""A rota as CSV: one block of time a row, in local time unless it carries an offset."""

import csv
import math
from collections.abc import Mapping
from datetime import datetime

from router.model.errors import Invalid
from router.model.rota import Remark, RotaBlock
from router.model.session import SessionKind, Workstation
from router.rules.local_time import utc_of
from router.rules.rota import LONGEST_SESSION

COLUMNS = ("reader", "start", "end", "kind", "capacity_minutes", "capacity_reads", "node", "ae_title", "note")
LEAVE = "leave"
_REQUIRED = ("start", "end", "kind")
_KINDS = tuple(kind.value for kind in SessionKind)


def read_csv_rota(text: str, reader_id: str | None = None) -> tuple[list[RotaBlock], list[Remark]]:
    """Blocks and refusals. `reader_id` is whose rota it is where the file has no column `reader`.

    Without a capacity a session has as many minutes as it is long. Rows count as a spreadsheet does: header is 1.
    """
    lines = csv.reader(text.removeprefix("\ufeff").splitlines())
    blocks: list[RotaBlock] = []
    remarks: list[Remark] = []
    try:
        header = [name.strip() for name in next(lines, [])]
        if problem := _header_problem(header, reader_id):
            return [], [Remark("1", problem)]
        for number, cells in enumerate(lines, start=2):
            if not any(cell.strip() for cell in cells):
                continue
            try:
                blocks.append(_block(str(number), _named(header, cells), reader_id))
            except Invalid as problem:
                remarks.append(Remark(str(number), str(problem)))
    except csv.Error as error:
        remarks.append(Remark(str(lines.line_num), f"is not CSV: {error}"))
    return blocks, remarks


def _header_problem(header: list[str], reader_id: str | None) -> str | None:
    if unknown := [name for name in header if name not in COLUMNS]:
        return f"unknown column {', '.join(map(repr, unknown))}; expected columns of {', '.join(COLUMNS)}"
    if len(set(header)) != len(header):
        return "a column is there twice"
    needed = _REQUIRED if reader_id is not None else ("reader", *_REQUIRED)
    missing = [name for name in needed if name not in header]
    return f"missing column {', '.join(missing)}" if missing else None


def _named(header: list[str], cells: list[str]) -> Mapping[str, str]:
    if len(cells) != len(header):
        raise Invalid(f"expected {len(header)} columns as in the header, got {len(cells)}")
    return {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}


def _block(row: str, given: Mapping[str, str], reader_id: str | None) -> RotaBlock:
    reader = given.get("reader", reader_id)
    if reader is None:
        raise Invalid("reader: is empty")
    if reader_id is not None and reader != reader_id:
        raise Invalid(f"reader: this import is for {reader_id} only")
    kind = given.get("kind", "")
    if kind != LEAVE and kind not in _KINDS:
        raise Invalid(f"kind: expected one of {', '.join((*_KINDS, LEAVE))}, got {kind!r}")
    starts_at, ends_at = _instant(given, "start"), _instant(given, "end")
    check_span(starts_at, ends_at, is_leave=kind == LEAVE)
    reads, minutes = _capacity(given, (ends_at - starts_at).total_seconds() / 60)
    return RotaBlock(
        row=row,
        reader_id=reader,
        starts_at=starts_at,
        ends_at=ends_at,
        kind=None if kind == LEAVE else SessionKind(kind),
        capacity_reads=reads,
        capacity_minutes=minutes,
        place=_place(given),
        note=given.get("note", "")[:200],
    )


def check_span(starts_at: datetime, ends_at: datetime, *, is_leave: bool) -> None:
    """Raises Invalid when the block does not end after it starts, or is too long for a session."""
    if ends_at <= starts_at:
        raise Invalid("end: must be later than start")
    if not is_leave and ends_at - starts_at > LONGEST_SESSION:
        raise Invalid("end: a session lasts 24 hours at most")


def _instant(given: Mapping[str, str], column: str) -> datetime:
    text = given.get(column)
    if text is None:
        raise Invalid(f"{column}: is empty")
    try:
        local = datetime.fromisoformat(text)
        if len(text) < len("2026-10-25T01:30"):
            raise ValueError("no time of day")
    except ValueError:
        raise Invalid(f"{column}: expected a time such as 2026-10-25T09:00, got {text[:40]!r}") from None
    try:
        return utc_of(local)
    except Invalid as problem:
        raise Invalid(f"{column}: {problem}") from None
    except OverflowError:
        raise Invalid(f"{column}: is out of range") from None


def _capacity(given: Mapping[str, str], length_minutes: float) -> tuple[int | None, float | None]:
    """Reads or minutes; the other is None."""
    if "capacity_minutes" in given and "capacity_reads" in given:
        raise Invalid("capacity_minutes: give it or capacity_reads, not both")
    if "capacity_reads" in given:
        reads = _number(given, "capacity_reads")
        if not reads.is_integer():
            raise Invalid("capacity_reads: expected a whole number")
        return int(reads), None
    return None, _number(given, "capacity_minutes") if "capacity_minutes" in given else length_minutes


def _number(given: Mapping[str, str], column: str) -> float:
    try:
        number = float(given[column])
    except ValueError:
        number = math.nan
    if not 0 < number <= 100_000:
        raise Invalid(f"{column}: expected a number above 0, got {given[column][:40]!r}")
    return number


def _place(given: Mapping[str, str]) -> Workstation | None:
    if ("node" in given) != ("ae_title" in given):
        raise Invalid("node: a place needs node and ae_title")
    return Workstation(given["node"], given["ae_title"]) if "node" in given else None
