"""`readacross held`: reports that wait for a person, both sides of a match, and what one or two persons decide.

`show` prints identifiers and text of patients on the terminal; nothing of it is kept.
"""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from readacross.router_client import RouterClient
from readacross.screen import screen, shown_ids, table
from readacross.trace import RouterUrl, TokenFile
from readacross.whole_id import whole_id
from router.web.messages import ReportView
from router.web.report_messages import SidesView, SideView

held = typer.Typer(help="Reports that wait for a person.", no_args_is_help=True)

ReportId = Annotated[str, typer.Argument(metavar="REPORT", help="Its id as `list` shows it, or how that begins.")]
ReadId = Annotated[str, typer.Argument(metavar="READ", help="Its id as `show` lists it, or how that begins.")]
Reason = Annotated[str, typer.Option(help="Why; the ledger keeps it.")]
_COLOURS = {"same": "green", "differs": "bold red", "not said": "dim"}


@held.command("list")
def listing(router: RouterUrl, token_file: TokenFile) -> None:
    """Show which reports wait, in the order they came in."""
    with RouterClient.from_file(router, token_file) as client:
        reports = client.held_reports()
    console = screen()
    console.print(_table(console, reports) if reports else "No report waits for a person.")


@held.command()
def show(report: ReportId, router: RouterUrl, token_file: TokenFile) -> None:
    """Show what a report says beside each read it may be of. Names of patients are not at the router."""
    with RouterClient.from_file(router, token_file) as client:
        sides = client.sides(_held(client, report))
    console = screen()
    _tell(console, sides)
    for number, side in enumerate(sides.candidates, 1):
        console.print(_side(console, number, side))
    if not sides.candidates:
        console.print("No read is known that it could be of.")
    if sides.proposed is not None:
        one = sides.proposed
        against = "; ".join(one.contradictions)
        console.print(
            f"{one.proposed_by} says it is of read {one.read_id} although {against} ({one.reason}): "
            "another person must confirm or reject it.",
            markup=False,
        )


@held.command()
def match(report: ReportId, read: ReadId, router: RouterUrl, token_file: TokenFile, reason: Reason) -> None:
    """Say which read a report is of. Where an identifier contradicts, another person must confirm it."""
    with RouterClient.from_file(router, token_file) as client:
        report = _held(client, report)
        candidates = client.sides(report).candidates
        read = whole_id(read, [one.read_id for one in candidates if one.read_id], "reads it may be of")
        side = next((one for one in candidates if one.read_id == read), None)
        if side is not None and not side.contradictions:
            accepted = client.accept_report(report, read, reason)
            typer.echo(f"accepted as version {accepted.version}; it goes home now")
            return
        proposed = client.propose_match(report, read, reason)
    typer.echo(f"proposed although {'; '.join(proposed.contradictions)}: another person must confirm it")


@held.command()
def confirm(report: ReportId, router: RouterUrl, token_file: TokenFile, reason: Reason) -> None:
    """Confirm what another person proposed: the report becomes the read's and goes home."""
    with RouterClient.from_file(router, token_file) as client:
        accepted = client.confirm_match(_held(client, report), reason)
    typer.echo(f"accepted as version {accepted.version}; it goes home now")


@held.command()
def reject(report: ReportId, router: RouterUrl, token_file: TokenFile, reason: Reason) -> None:
    """Reject a proposed match; the report goes on waiting."""
    with RouterClient.from_file(router, token_file) as client:
        client.reject_match(_held(client, report), reason)
    typer.echo("rejected; the report goes on waiting")


def _held(client: RouterClient, start: str) -> str:
    return whole_id(start, [one.id for one in client.held_reports()], "held reports")


def _table(console: Console, reports: list[ReportView]) -> Table:
    ids = shown_ids(console, [one.id for one in reports])
    headings = ("report", "since (UTC)", "channel", "status", "author", "accession", "patient id", "why")
    made = table(console, *headings, title="reports that wait for a person", ids=list(ids.values()))
    for one in reports:
        status = f"{one.status}{' addendum' if one.addendum else ''}"
        since = f"{one.received_at:%Y-%m-%d %H:%M}"
        accession = " of ".join(part for part in (one.accession_number, one.accession_issuer) if part)
        patient = " of ".join(part for part in (one.patient_id, one.patient_id_issuer) if part)
        said = (one.registration or "", accession, patient, "; ".join(one.reasons))
        made.add_row(escape(ids[one.id]), since, one.channel, status, *map(escape, said))
    return made


def _tell(console: Console, sides: SidesView) -> None:
    came = f"{sides.channel} from {sides.node}" if sides.node else sides.channel
    status = f"{sides.status}{' addendum' if sides.addendum else ''}"
    console.print(f"report {sides.report_id}: {came}, status {status}", markup=False)
    console.print(f"by {sides.author_name or '?'} ({sides.registration or 'no registration'})", markup=False)
    console.print(
        f"written {sides.authored_at:%Y-%m-%d %H:%M}, came in {sides.received_at:%Y-%m-%d %H:%M} UTC", markup=False
    )
    console.print(f"waits because {'; '.join(sides.reasons)}", markup=False)
    console.print("---- text ----")
    console.print(sides.text, markup=False, highlight=False, soft_wrap=not console.is_terminal)
    console.print("--------------")


def _side(console: Console, number: int, side: SideView) -> Table:
    what = f"{side.origin} {side.description or ''}".strip()
    state = f"{side.state}, {side.holder}" if side.holder else side.state or "no read"
    title = f"{number}. read {side.read_id}: {escape(what)} ({state})"
    made = table(console, "", "the report says", "the read says", "", title=title)
    for one in side.compared:
        verdict = Text(one.verdict, style=_COLOURS[one.verdict])
        made.add_row(one.what, escape(one.report or ""), escape(one.read or ""), verdict)
    examined = "" if side.study_time is None else f"{side.study_time:%Y-%m-%d %H:%M} UTC"
    made.add_row("examined", "", examined, Text("not said", style=_COLOURS["not said"]))
    return made
