"""`readacross parked`: what a node gave up on by machine, and how a person has it tried again.

Reads and writes the node's own database, beside a running node or without one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from dicom_nodes.foundation.jobs import Job, JobState
from readacross.node_store import node_store_of
from readacross.screen import screen, table
from readacross.whole_id import whole_id


def parked(
    trust_file: Annotated[Path, typer.Argument(metavar="TRUST.toml", help="The trust's file.")],
    resend: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="KIND KEY", help="Try this parked job again, from its first attempt."),
    ] = None,
) -> None:
    """Show a node's parked jobs, or send one again."""
    with node_store_of(trust_file) as store:
        if resend is not None:
            kind, start = resend
            parked_keys = [job.key for job in store.jobs.listing([JobState.PARKED]) if job.kind == kind]
            key = whole_id(start, parked_keys, "parked jobs")
            with store.database.write() as connection:
                found = store.jobs.resend(connection, kind=kind, key=key)
            typer.echo("queued again" if found else f"no parked job of kind {kind!r} with key {key!r}", err=not found)
            raise typer.Exit(0 if found else 1)
        _show(store.jobs.listing([JobState.PARKED]), store.orders.refusals())


def _show(jobs: Sequence[Job], refusals: Mapping[str, Sequence[str]]) -> None:
    """`refusals` are partners' own words by order id; they may name a patient, so they are shown here only."""
    console = screen()
    if not jobs:
        console.print("Nothing is parked.")
        return
    made = table(console, "kind", "key", "to", "attempts", "why", title="parked jobs")
    for job in jobs:
        order_id, _, channel = job.key.partition("/")
        said = [words for words in refusals.get(order_id, ()) if not channel or words.startswith(f"{channel} ")]
        why = "\n".join((job.reason or "", *said))
        made.add_row(job.kind, job.key, escape(job.destination), str(job.attempt), escape(why))
    console.print(made)
