"""`readacross refused`: what came to a node and could not be taken; originals may name patients, and stay.

Reads the node's own database, beside a running node or without one.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from readacross.node_store import node_store_of
from readacross.screen import screen, shown_ids, table
from readacross.whole_id import whole_id


def refused(
    trust_file: Annotated[Path, typer.Argument(metavar="TRUST.toml", help="The trust's file.")],
    save: Annotated[
        tuple[str, Path] | None,
        typer.Option(
            metavar="ID FILE",
            help="Write this original out, byte for byte, into a new file.",
        ),
    ] = None,
) -> None:
    """Show the reports, orders and ADT messages that a node could not take, or write one out."""
    with node_store_of(trust_file) as store:
        if save is not None:
            start, file = save
            refusal_id = whole_id(start, [one.refusal_id for one in store.orders.refused_reports()], "refused messages")
            original = store.orders.refused_original(refusal_id)
            if original is None:
                typer.echo(f"nothing refused has the id {refusal_id!r}", err=True)
                raise typer.Exit(1)
            try:
                with file.open("xb") as out:
                    out.write(original)
            except OSError as error:
                typer.echo(f"{file}: cannot be written: {error.strerror}", err=True)
                raise typer.Exit(1) from None
            typer.echo(f"{len(original)} bytes written to {file}; it may name a patient")
            return
        reports = store.orders.refused_reports()
    console = screen()
    if not reports:
        console.print("Nothing was refused.")
        return
    ids = shown_ids(console, [one.refusal_id for one in reports])
    headings = ("id", "since (UTC)", "channel", "answered", "bytes", "what and where")
    made = table(console, *headings, title="refused messages", ids=list(ids.values()))
    for one in reports:
        at = f"{one.received_at:%Y-%m-%d %H:%M}"
        made.add_row(ids[one.refusal_id], at, one.channel, one.answer, str(one.size_bytes), escape(one.reason))
    console.print(made)
