"""`readacross queue`: what machines could not settle, and what a person does about it."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from readacross.router_client import RouterClient
from readacross.screen import screen, shown_ids, table
from readacross.trace import RouterUrl, TokenFile
from readacross.whole_id import whole_id
from router.web.messages import QueueItemView

queue = typer.Typer(help="What waits for a person at the router.", no_args_is_help=True)

Item = Annotated[str, typer.Argument(metavar="ITEM", help="Its id as `list` shows it, or how that begins.")]
Note = Annotated[str, typer.Option(help="What was done about it; the ledger keeps it.")]


@queue.command("list")
def listing(
    router: RouterUrl,
    token_file: TokenFile,
    resolved: Annotated[bool, typer.Option("--resolved", help="Show the resolved ones instead.")] = False,
) -> None:
    """Show what waits, oldest first."""
    with RouterClient.from_file(router, token_file) as client:
        items = client.human_queue(resolved=resolved)
    console = screen()
    if not items:
        console.print("Nothing waits for a person." if not resolved else "Nothing was resolved yet.")
        return
    console.print(_table(console, items))


@queue.command()
def resolve(item: Item, router: RouterUrl, token_file: TokenFile, note: Note) -> None:
    """Close an item."""
    with RouterClient.from_file(router, token_file) as client:
        client.settle_item(_whole(client, item), "resolve", note)
    typer.echo("resolved")


@queue.command()
def resend(item: Item, router: RouterUrl, token_file: TokenFile, note: Note = "sent again") -> None:
    """Have parked work tried again, and close the item."""
    with RouterClient.from_file(router, token_file) as client:
        client.settle_item(_whole(client, item), "resend", note)
    typer.echo("the node is asked to try again")


def _whole(client: RouterClient, start: str) -> str:
    return whole_id(start, [one.id for one in client.human_queue()], "items")


def _table(console: Console, items: list[QueueItemView]) -> Table:
    ids = shown_ids(console, [item.id for item in items])
    headings = ("item", "since (UTC)", "kind", "node", "resend", "why")
    made = table(console, *headings, title="waits for a person", ids=list(ids.values()))
    for item in items:
        again = "yes" if item.can_resend else ""
        since = f"{item.opened_at:%Y-%m-%d %H:%M}"
        made.add_row(ids[item.id], since, item.kind, item.node or "", again, escape(item.reason))
    return made
