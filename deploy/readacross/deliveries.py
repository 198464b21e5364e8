"""`readacross deliveries`: where every report is on its way home, and what a person does about it."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from readacross.router_client import RouterClient
from readacross.screen import screen, shown_ids, table
from readacross.trace import RouterUrl, TokenFile
from readacross.whole_id import whole_id
from router.web.messages import ListedDeliveryView

deliveries = typer.Typer(help="Reports on their way to the trusts that made the images.", no_args_is_help=True)

ReportId = Annotated[str, typer.Argument(metavar="REPORT", help="Its id as `list` shows it, or how that begins.")]
Channel = Annotated[str, typer.Argument(help="ris, archive, pdf or fhir.")]
Reason = Annotated[str, typer.Option(help="Why; the ledger keeps it.")]

_OWED = ["QUEUED", "SENT", "REJECTED", "PARKED", "HELD"]


@deliveries.command("list")
def listing(
    router: RouterUrl,
    token_file: TokenFile,
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; may be given again.")] = None,
    trust: Annotated[str | None, typer.Option(help="Only to this trust (ODS code).")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what was filed, dropped or called off.")] = False,
) -> None:
    """Show what the trusts still have to get, the oldest first."""
    states = [] if everything else state or _OWED
    with RouterClient.from_file(router, token_file) as client:
        found = client.deliveries(states, trust)
    console = screen()
    console.print(_table(console, found) if found else "Nothing is on its way.")


@deliveries.command()
def resend(report: ReportId, channel: Channel, router: RouterUrl, token_file: TokenFile, reason: Reason) -> None:
    """Have one channel of a report sent again."""
    with RouterClient.from_file(router, token_file) as client:
        delivery = client.settle_delivery(_report(client, report), channel, "resend", reason)
    typer.echo(f"{delivery.channel} of {delivery.trust}: {delivery.state}")


@deliveries.command()
def cancel(report: ReportId, channel: Channel, router: RouterUrl, token_file: TokenFile, reason: Reason) -> None:
    """Call one channel of a report off; the read stays open until its origin has answered."""
    with RouterClient.from_file(router, token_file) as client:
        delivery = client.settle_delivery(_report(client, report), channel, "cancel", reason)
    typer.echo(f"{delivery.channel} of {delivery.trust}: {delivery.state}")


def _report(client: RouterClient, start: str) -> str:
    """What is owed is looked through first: who types the beginning of an id has mostly seen it in `list`."""
    for states in (_OWED, []):
        listed = client.deliveries(states, None)
        whole = whole_id(start, {one.report_id for one in listed}, "reports")
        if whole != start or any(one.report_id == start for one in listed):
            return whole
    return start


def _table(console: Console, found: list[ListedDeliveryView]) -> Table:
    ids = shown_ids(console, {one.report_id for one in found})
    headings = ("report", "version", "trust", "channel", "state", "age", "answer")
    made = table(console, *headings, title="reports on their way home", ids=list(ids.values()))
    for one in found:
        version = f"{one.version} {one.status}{' addendum' if one.addendum else ''}"
        answer = ": ".join(part for part in (one.code, one.words or one.note) if part)
        shown = escape(ids[one.report_id])
        made.add_row(shown, version, one.trust, one.channel, one.state, _age(one.age_s), escape(answer))
    return made


def _age(seconds: float) -> str:
    """`3 d 4 h`, `4 h 5 min`, `12 min`."""
    minutes = int(seconds // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
