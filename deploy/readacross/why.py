"""`readacross why`: who got this study to read, who did not, and for which reasons, in plain sentences."""

from typing import Annotated

import typer

from readacross.open_alerts import alert_sentences
from readacross.router_client import RouterClient
from readacross.trace import RouterUrl, TokenFile
from router.rules.local_time import in_words
from router.web.messages import StudyTrace, WhyView


def why(
    study: Annotated[
        str, typer.Argument(metavar="ACCESSION|STUDY_UID", help="Accession number or Study Instance UID.")
    ],
    router: RouterUrl,
    token_file: TokenFile,
) -> None:
    """Say why a study was given to whom; where several trusts use the accession number, for each of them."""
    with RouterClient.from_file(router, token_file) as client:
        found = sorted(client.trace(study), key=lambda trace: trace.trust)
        told = [(one.trust, client.why(read_id)) for one in found for read_id in _reads_of(one)]
    if not told:
        typer.echo("The router knows no read of a study with this accession number or Study Instance UID.", err=True)
        raise typer.Exit(1)
    for trust, view in told:
        _tell(trust, view)


def _reads_of(study: StudyTrace) -> list[str]:
    return list(dict.fromkeys(entry.read_id for entry in study.entries if entry.read_id is not None))


def _tell(trust: str, view: WhyView) -> None:
    second = "" if view.second_of is None else f", the second read after {view.second_of},"
    typer.echo(f"Read {view.read_id} of {trust}{second} is {view.state}.")
    for sentence in (*alert_sentences(view.open_alerts), *view.sentences, *view.waiting_sentences):
        typer.echo(sentence)
    for given in view.assignments:
        typer.echo(f"\n{in_words(given.assigned_at)}: given to {given.reader_id}.")
        for sentence in given.sentences:
            typer.echo(f"  {sentence}")
