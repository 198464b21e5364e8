"""`readacross rota`: a rota from a file, with a table of what was taken and what was refused."""

from pathlib import Path
from typing import Annotated, Literal, get_args

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from readacross.refusals import RouterSaidNo
from readacross.router_client import RouterClient
from readacross.trace import RouterUrl, TokenFile
from router.config import SessionKindName
from router.rules.local_time import ZONE
from router.web.rota_messages import RemarkView, RotaImportBody, RotaImportView

rota = typer.Typer(help="Who reads when.", no_args_is_help=True)

EXIT_REFUSED = 1


@rota.callback()
def _rota() -> None:
    """Who reads when."""


@rota.command("import")
def import_rota(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv file, or a calendar (.ics).")],
    router: RouterUrl,
    token_file: TokenFile,
    reader: Annotated[str | None, typer.Option(help="Whose rota it is, where the file does not say.")] = None,
    trust: Annotated[str | None, typer.Option(help="Only readers whom this trust (ODS code) employs.")] = None,
    kind: Annotated[str | None, typer.Option(help="Calendar: the kind of events that name none.")] = None,
    weeks: Annotated[int, typer.Option(min=1, max=53, help="Calendar: how far ahead to lay out.")] = 26,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would happen, and change nothing.")] = False,
) -> None:
    """Book sessions and leave; ends with status 1 when a row was refused. The same file again changes nothing."""
    kinds = (*get_args(SessionKindName), "leave")
    if kind is not None and kind not in kinds:
        raise RouterSaidNo(f"--kind: expected one of {', '.join(kinds)}, got {kind!r}")
    body = RotaImportBody.model_validate(
        {
            "format": _format(file),
            "text": text_of(file),
            "reader_id": reader,
            "trust": trust,
            "kind": kind,
            "weeks": weeks,
            "dry_run": dry_run,
        }
    )
    with RouterClient.from_file(router, token_file) as client:
        outcome = client.import_rota(body)
    show(outcome, Console())
    if outcome.refused:
        raise typer.Exit(EXIT_REFUSED)


def show(outcome: RotaImportView, console: Console) -> None:
    """Tables of what was taken, refused and warned of; times are local."""
    if outcome.taken:
        console.print(_taken(outcome))
    for title, remarks in (("refused", outcome.refused), ("taken, but", outcome.warnings)):
        if remarks:
            console.print(remarks_table(title, remarks))
    would = "would be " if outcome.dry_run else ""
    removed = f", {outcome.removed} that are no longer there {would}removed" if outcome.removed else ""
    console.print(f"{len(outcome.taken)} {would}taken, {len(outcome.refused)} refused{removed}")


def remarks_table(title: str, remarks: list[RemarkView]) -> Table:
    """Row and reason."""
    table = Table("row", "why", title=title, title_justify="left")
    for remark in remarks:
        table.add_row(escape(remark.row), escape(remark.reason))
    return table


def text_of(file: Path) -> str:
    """Raises RouterSaidNo when the file cannot be read as text."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RouterSaidNo(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RouterSaidNo(f"{file}: is not UTF-8 text") from None


def _format(file: Path) -> Literal["csv", "ical"]:
    match file.suffix.lower():
        case ".csv":
            return "csv"
        case ".ics" | ".ical":
            return "ical"
    raise RouterSaidNo(f"{file}: expected a file that ends in .csv, .ics or .ical")


def _taken(outcome: RotaImportView) -> Table:
    title = "would be taken" if outcome.dry_run else "taken"
    table = Table("row", "reader", "from (local)", "to (local)", "kind", "room", title=title, title_justify="left")
    for row in outcome.taken:
        starts, ends = (f"{at.astimezone(ZONE):%a %Y-%m-%d %H:%M}" for at in (row.starts_at, row.ends_at))
        room = f"{row.capacity_reads} reads" if row.capacity_reads is not None else ""
        room = f"{row.capacity_minutes:g} min" if row.capacity_minutes is not None else room
        table.add_row(escape(row.row), row.reader_id, starts, ends, row.kind, room)
    return table
