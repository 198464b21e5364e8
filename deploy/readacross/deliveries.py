"""`readacross deliveries`: where every report is on its way home, and what a person does about it."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from readacross.router_client import RouterClient
from readacross.trace import RouterUrl, TokenFile
from router.web.messages import ListedDeliveryView

deliveries = typer.Typer(help="Reports on their way to the trusts that made the images.", no_args_is_help=True)

ReportId = Annotated[str, typer.Argument(metavar="REPORT", help="Id of the report, as `list` shows it.")]
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
    console = Console()
    console.print(_table(found) if found else "Nothing is on its way.")


@deliveries.command()
def resend(report: ReportId, channel: Channel, router: RouterUrl, token_file: TokenFile, reason: Reason) -> None:
    """Have one channel of a report sent again."""
    with RouterClient.from_file(router, token_file) as client:
        delivery = client.settle_delivery(report, channel, "resend", reason)
    typer.echo(f"{delivery.channel} of {delivery.trust}: {delivery.state}")


@deliveries.command()
def cancel(report: ReportId, channel: Channel, router: RouterUrl, token_file: TokenFile, reason: Reason) -> None:
    """Call one channel of a report off; the read stays open until its origin has answered."""
    with RouterClient.from_file(router, token_file) as client:
        delivery = client.settle_delivery(report, channel, "cancel", reason)
    typer.echo(f"{delivery.channel} of {delivery.trust}: {delivery.state}")


def _table(found: list[ListedDeliveryView]) -> Table:
    table = Table("report", "version", "trust", "channel", "state", "age", "answer", title="reports on their way home")
    for one in found:
        version = f"{one.version} {one.status}{' addendum' if one.addendum else ''}"
        answer = ": ".join(part for part in (one.code, one.words or one.note) if part)
        table.add_row(one.report_id, version, one.trust, one.channel, one.state, _age(one.age_s), escape(answer))
    return table


def _age(seconds: float) -> str:
    """`3 d 4 h`, `4 h 5 min`, `12 min`."""
    minutes = int(seconds // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
