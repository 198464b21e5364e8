"""`readacross patients`: merges, updates and unlinkings that contradict, both sides, and what two persons decide.

`list` prints identifiers of patients on the terminal; nothing of it is kept.
"""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from readacross.router_client import RouterClient
from readacross.screen import screen, table
from readacross.trace import RouterUrl, TokenFile
from readacross.whole_id import whole_id
from router.web.patient_conflicts import IdentityView, PatientConflictView

patients = typer.Typer(help="Changes of patients that contradict.", no_args_is_help=True)

ConflictId = Annotated[str, typer.Argument(metavar="CHANGE", help="Its id, as `list` shows it, or how that begins.")]
Reason = Annotated[str, typer.Option(help="Why; the ledger keeps it.")]


@patients.command("list")
def listing(router: RouterUrl, token_file: TokenFile) -> None:
    """Show each change that waits: who the study is known to be of beside what the trust's ADT says."""
    with RouterClient.from_file(router, token_file) as client:
        found = client.patient_conflicts()
    console = screen()
    for one in found:
        console.print(_table(console, one))
    if not found:
        console.print("No change of a patient waits for a person.")


@patients.command()
def propose(change: ConflictId, router: RouterUrl, token_file: TokenFile, reason: Reason) -> None:
    """Say that a change is right although it contradicts; another person must confirm it."""
    _settle(change, "propose", router, token_file, reason)
    typer.echo("proposed: another person must confirm or reject it")


@patients.command()
def confirm(change: ConflictId, router: RouterUrl, token_file: TokenFile, reason: Reason) -> None:
    """Carry out what another person proposed."""
    _settle(change, "confirm", router, token_file, reason)
    typer.echo("carried out; what was held goes out again")


@patients.command()
def reject(change: ConflictId, router: RouterUrl, token_file: TokenFile, reason: Reason) -> None:
    """Say that the message was wrong; nothing is changed."""
    _settle(change, "reject", router, token_file, reason)
    typer.echo("rejected; what is held waits to be sent or called off (readacross deliveries)")


def _settle(change: str, how: str, router: RouterUrl, token_file: TokenFile, reason: str) -> None:
    with RouterClient.from_file(router, token_file) as client:
        whole = whole_id(change, [one.id for one in client.patient_conflicts()], "changes")
        client.settle_patient(whole, how, reason)


def _table(console: Console, one: PatientConflictView) -> Table:
    title = (
        f"{one.id}: {one.how} at {one.origin}, {one.told_at:%Y-%m-%d %H:%M} UTC\n{one.study_instance_uid}: {one.reason}"
    )
    if one.proposed_by:
        title += f"\n{one.proposed_by} proposes to carry it out: {one.proposed_why}"
    sides = [("the study", one.study_patient), ("the message", one.present)]
    if one.prior is not None:
        sides.append(("other person" if one.how == "unlinked" else "ended number", one.prior))
    made = table(console, "", *(heading for heading, _ in sides), title=escape(title))
    made.title_justify = "left"
    for row in IdentityView.model_fields:
        made.add_row(row.replace("_", " "), *(escape(str(getattr(side, row) or "")) for _, side in sides))
    return made
