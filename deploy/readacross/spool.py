"""`readacross spool`: what a person must know of a node's spool, beside a running node or without one."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from readacross.node_store import node_store_of

spool = typer.Typer(help="Look after a node's spool.", no_args_is_help=True)


@spool.callback()
def _spool() -> None:
    """Look after a node's spool."""


@spool.command()
def damaged(
    trust_file: Annotated[Path, typer.Argument(metavar="TRUST.toml", help="The trust's file.")],
) -> None:
    """Show which instances are damaged, and whether the archive has them; exit code 1 when there are any."""
    with node_store_of(trust_file) as store:
        found = store.scrubbing.described_damage()
    if not found:
        typer.echo("Nothing is known to be damaged.")
        return
    table = Table("instance", "study", "noticed", "elsewhere", title="damaged objects")
    for item in found:
        if item.archived_at is not None:
            elsewhere = f"archive, since {item.archived_at:%Y-%m-%d %H:%M} UTC"
        else:
            elsewhere = "in quarantine here only" if item.is_quarantined else "NOT acknowledged by the archive"
        table.add_row(item.sop_instance_uid, item.study_instance_uid, f"{item.noticed_at:%Y-%m-%d %H:%M}", elsewhere)
    Console(width=200).print(table)
    raise typer.Exit(1)
