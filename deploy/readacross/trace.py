"""`readacross trace`: where is this study now, who holds it, and how did it get there?"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from readacross.ledger_table import ledger_table
from readacross.open_alerts import alert_sentences
from readacross.router_client import RouterClient

RouterUrl = Annotated[str, typer.Option("--router", metavar="URL", envvar="READACROSS_ROUTER", help="The router.")]
TokenFile = Annotated[
    Path,
    typer.Option(envvar="READACROSS_TOKEN_FILE", help="File with the token of an administrator or coordinator."),
]


def trace(
    study: Annotated[
        str, typer.Argument(metavar="STUDY_UID|ACCESSION", help="Study Instance UID or accession number.")
    ],
    router: RouterUrl,
    token_file: TokenFile,
) -> None:
    """Show a study's ledger; where several trusts use the accession number, each study under its trust."""
    with RouterClient.from_file(router, token_file) as client:
        found = client.trace(study)
    if not found:
        typer.echo("The router knows no study with this Study Instance UID or accession number.", err=True)
        raise typer.Exit(1)
    console = Console()
    for one in sorted(found, key=lambda trace: trace.trust):
        console.print(ledger_table(one))
        for sentence in alert_sentences(one.open_alerts):
            console.print(f"[bold]{escape(sentence)}[/]", soft_wrap=True)
