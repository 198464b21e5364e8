"""`readacross codes`: a trust's exam code map from a file, and how much of its work the map covers."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from readacross.rota import EXIT_REFUSED, remarks_table, text_of
from readacross.router_client import RouterClient
from readacross.trace import RouterUrl, TokenFile
from router.web.exams import CodesImportBody

codes = typer.Typer(help="What a trust's exam codes mean.", no_args_is_help=True)

Trust = Annotated[str, typer.Option(help="ODS code of the trust.")]


@codes.command("import")
def import_codes(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="The whole map, with a header.")],
    router: RouterUrl,
    token_file: TokenFile,
    trust: Trust,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what is wrong, and change nothing.")] = False,
) -> None:
    """Replace the trust's map, all or nothing: with one refused row it stays as it was (exit status 1)."""
    body = CodesImportBody(text=text_of(file), dry_run=dry_run)
    with RouterClient.from_file(router, token_file) as client:
        outcome = client.import_codes(trust, body)
    console = Console()
    for title, remarks in (("refused", outcome.refused), ("mapped, but", outcome.warnings)):
        if remarks:
            console.print(remarks_table(title, remarks))
    if outcome.refused:
        console.print(f"nothing was changed: {len(outcome.refused)} refused")
        raise typer.Exit(EXIT_REFUSED)
    console.print(f"{outcome.taken} codes of {trust} {'would be ' if dry_run else ''}taken")


@codes.command()
def coverage(
    router: RouterUrl,
    token_file: TokenFile,
    trust: Trust,
    days: Annotated[int, typer.Option(min=1, max=3660, help="So many days back.")] = 90,
) -> None:
    """Show how much of what the trust sent is mapped, and which codes are not."""
    with RouterClient.from_file(router, token_file) as client:
        found = client.coverage(trust, days)
    console = Console()
    share = "no study had a code" if found.share is None else f"{found.share:.1%} of those with a code are mapped"
    console.print(f"{trust}: {found.studies} studies in {days} days, {found.uncoded_studies} without a code; {share}")
    if found.unmapped:
        table = Table("code", "scheme", "studies", title="not mapped: each waits for a person", title_justify="left")
        for code in found.unmapped:
            table.add_row(escape(code.code), escape(code.scheme or ""), str(code.studies))
        console.print(table)
