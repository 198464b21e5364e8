"""`readacross alerts`: who has to answer what, since when; and a named person's answer."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from readacross.router_client import OPEN_ALERTS, RouterClient
from readacross.screen import screen, shown_ids, table
from readacross.trace import RouterUrl, TokenFile
from router.web.alert_messages import AlertDetailView, AlertView

alerts = typer.Typer(
    help="Critical alerts, until a named person answers. Without a subcommand: as `list`.", invoke_without_command=True
)

AlertId = Annotated[str, typer.Argument(metavar="ALERT", help="Id, or how it begins.")]
Person = Annotated[str, typer.Option(help="Who has taken it on: a name and where to find them.")]
Reason = Annotated[str, typer.Option(help="What was done, or how the person was told; the ledger keeps it.")]


@alerts.callback()
def alerts_or_list(
    context: typer.Context,
    router: Annotated[
        str | None, typer.Option("--router", metavar="URL", envvar="READACROSS_ROUTER", help="The router.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(envvar="READACROSS_TOKEN_FILE", help="File with a staff token.")
    ] = None,
) -> None:
    """Critical alerts, until a named person answers. Without a subcommand: as `list`."""
    if context.invoked_subcommand is not None:
        return
    if router is None or token_file is None:
        raise typer.BadParameter("expected --router URL and --token-file FILE, or a subcommand")
    listing(router, token_file)


@alerts.command("list")
def listing(
    router: RouterUrl,
    token_file: TokenFile,
    every: Annotated[bool, typer.Option("--all", help="Show the closed ones too.")] = False,
    trust: Annotated[str | None, typer.Option(help="Only this trust's (ODS code).")] = None,
) -> None:
    """Show open alerts with their ages, oldest first."""
    with RouterClient.from_file(router, token_file) as client:
        found = client.alerts(() if every else OPEN_ALERTS, trust)
    console = screen()
    console.print(_table(console, found) if found else "No alert is open.")


@alerts.command()
def show(alert: AlertId, router: RouterUrl, token_file: TokenFile) -> None:
    """Show one alert's ladder with its times, and who was told."""
    with RouterClient.from_file(router, token_file) as client:
        view = client.alert(client.whole_alert_id(alert))
    console = screen()
    console.print(_about(view))
    console.print(_ladder(console, view))
    if view.notifications:
        console.print(_told(console, view))


@alerts.command()
def acknowledge(alert: AlertId, router: RouterUrl, token_file: TokenFile, person: Person, reason: Reason) -> None:
    """Say who has taken an alert on; nobody else is told any more."""
    with RouterClient.from_file(router, token_file) as client:
        view = client.answer_alert(client.whole_alert_id(alert), "acknowledge", person, reason)
    typer.echo(f"acknowledged by {view.acknowledged_by}; close it when it is known what was done")


@alerts.command()
def close(alert: AlertId, router: RouterUrl, token_file: TokenFile, person: Person, reason: Reason) -> None:
    """Say what was done about an acknowledged alert."""
    with RouterClient.from_file(router, token_file) as client:
        client.answer_alert(client.whole_alert_id(alert), "close", person, reason)
    typer.echo("closed")


def age(seconds: float) -> str:
    """`2 d 3 h`, `3 h 05 min` or `12 min`."""
    minutes = int(seconds // 60)
    if minutes >= 24 * 60:
        return f"{minutes // 1440} d {minutes % 1440 // 60} h"
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def _table(console: Console, found: list[AlertView]) -> Table:
    ids = shown_ids(console, [one.id for one in found])
    headings = ("alert", "age", "trust", "state", "finding", "accession", "answer by (UTC)", "who answered")
    made = table(console, *headings, title="alerts", ids=list(ids.values()))
    for one in found:
        state = f"{one.state}({one.level})" if one.state == "ESCALATED" else one.state
        late = "[bold red]late[/] " if one.past_deadline else ""
        phone = " [bold red]telephone[/]" if one.on_phone_list else ""
        by = f"{one.deadline_at:%Y-%m-%d %H:%M}" if one.deadline_at else ""
        finding = escape(f"{one.category or 'being looked up'} ({one.code})")
        waits = "" if one.held_because is None else f" [bold red]{'held' if one.read_id else 'not matched'}[/]"
        answered = escape(one.acknowledged_by or "nobody")
        accession = escape(one.accession_number or "")
        made.add_row(
            ids[one.id], age(one.age_s), one.trust, state + phone, finding + waits, accession, late + by, answered
        )
    return made


def _about(view: AlertDetailView) -> str:
    lines = [
        f"Alert {view.id} for {view.trust}: {escape(view.category or '')} ({escape(view.code)}), {view.urgency}",
        f"Raised {view.raised_at:%Y-%m-%d %H:%M} UTC by {escape(view.raised_by)}, {age(view.age_s)} ago: {view.state}",
    ]
    if view.contact is not None:
        lines.append(f"The order names: {escape(view.contact)}")
    if view.held_because is not None:
        what = "held, of a certain study" if view.read_id else "not matched"
        lines.append(f"[bold red]The report is {what}:[/] {escape(view.held_because)}")
    if view.acknowledged_by is not None:
        lines.append(f"Acknowledged by {escape(view.acknowledged_by)}: {escape(view.acknowledged_note or '')}")
    if view.closed_by is not None:
        lines.append(f"Closed by {escape(view.closed_by)}: {escape(view.closed_note or '')}")
    return "\n".join(lines)


def _ladder(console: Console, view: AlertDetailView) -> Table:
    made = table(console, "step", "who", "due (UTC)", "begun (UTC)", "recipients", title="ladder")
    for step in view.steps:
        begun = f"{step.begun_at:%Y-%m-%d %H:%M}" if step.begun_at else ""
        who = escape(", ".join(step.recipients))
        made.add_row(str(step.level), step.who, f"{step.due_at:%Y-%m-%d %H:%M}", begun, who)
    return made


def _told(console: Console, view: AlertDetailView) -> Table:
    headings = ("step", "recipient", "channel", "state", "at (UTC)", "why")
    made = table(console, *headings, title="told (which answers nothing)")
    for told in view.notifications:
        at = f"{told.updated_at:%Y-%m-%d %H:%M}"
        made.add_row(str(told.level), escape(told.recipient), told.channel, told.state, at, escape(told.reason or ""))
    return made
