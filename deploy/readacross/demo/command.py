"""`readacross demo`: the region, live in the terminal until Ctrl-C; or once round, checked."""

import signal
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from dicom_nodes.foundation.event_log import configure_event_log
from readacross.demo.children import ChildDied
from readacross.demo.journeys import Journey, journey_table
from readacross.demo.modality import SendFailed
from readacross.demo.stage import STUDIES_ONCE, Stage, StageTaken
from readacross.ledger_table import ledger_table

_LOOK_EVERY_S = 0.5
_SEND_EVERY_S = 10.0
_ROWS = 15
_DEADLINE_ONCE_S = 180.0
_INTERRUPTED = 130


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Several studies the whole way round, checked; then end.")
    ] = False,
    folder: Annotated[Path, typer.Option(help="Where all state goes; emptied first.")] = Path("var/demo"),
) -> None:
    """Run a region of two trusts on this machine: router, nodes, modality, workstation, reader, RIS."""
    configure_event_log(as_json=False)
    console = Console()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    console.print("Starting a router and two nodes on loopback …")
    try:
        with Stage(folder.resolve()) as stage:
            console.print(f"API: [bold]{stage.api}[/]  administrator's token: {stage.admin_token_file}")
            code = _once(stage, console, ended) if once else _until_stopped(stage, console, ended)
    except StageTaken as error:
        console.print(f"[red]{error}[/]")
        code = 1
    except (ChildDied, SendFailed) as error:
        console.print(f"[red]The demonstration failed:[/] {error}", markup=True, highlight=False)
        code = 1
    console.print("Everything is stopped.")
    raise typer.Exit(code)


def _until_stopped(stage: Stage, console: Console, ended: threading.Event) -> int:
    """A new study every so often, until Ctrl-C or SIGTERM."""
    caption = f"API: {stage.api}   Ctrl-C ends it"
    next_send = time.monotonic()
    live = Live(console=console, refresh_per_second=4) if console.is_terminal else nullcontext()
    told: set[str] = set()
    with live as screen:
        while not ended.wait(_LOOK_EVERY_S):
            stage.check_children()
            if time.monotonic() >= next_send:
                stage.send_next()
                next_send = time.monotonic() + _SEND_EVERY_S
            stage.look()
            if screen is not None:
                screen.update(journey_table(stage.journeys[-_ROWS:], "\n".join([caption, *stage.trouble[-3:]])))
            else:
                _tell_closed(stage, console, told)
    return 0


def _tell_closed(stage: Stage, console: Console, told: set[str]) -> None:
    for journey in stage.journeys:
        if journey.closed and journey.study.study_instance_uid not in told:
            told.add(journey.study.study_instance_uid)
            console.print(
                f"{journey.study.accession_number} {journey.study.description}: closed, {journey.seconds:.0f} s"
            )


def _once(stage: Stage, console: Console, ended: threading.Event) -> int:
    """Every study of the programme once; print each ledger; check; name what failed."""
    for _ in range(STUDIES_ONCE):
        stage.send_next()
    if not _all_round(stage, console, ended):
        console.print("Interrupted.")
        return _INTERRUPTED
    for journey in stage.journeys:
        if journey.trace is not None:
            console.print(ledger_table(journey.trace))
    faults = {_name(journey): stage.faults(journey) for journey in stage.journeys}
    for name, found in faults.items():
        mark = "[red]✗[/]" if found else "[green]✓[/]"
        words = (
            "; ".join(found) or "images byte-identical in the PACS and at home, report the same at the RIS and as SR"
        )
        console.print(f"{mark} {name}: {words}", highlight=False)
    waiting = stage.waiting_for_a_person()
    for line in [*waiting, *stage.trouble]:
        console.print(f"[red]✗[/] {line}", highlight=False)
    failed = any(faults.values()) or bool(waiting)
    console.print("[red]FAILED[/]" if failed else f"[green]All {len(faults)} studies went the whole way round.[/]")
    return 1 if failed else 0


def _all_round(stage: Stage, console: Console, ended: threading.Event) -> bool:
    """Wait until every study has ended or time is up; False when interrupted."""
    deadline = time.monotonic() + _DEADLINE_ONCE_S
    live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else nullcontext()
    with live as screen:
        while time.monotonic() < deadline and not all(journey.ended for journey in stage.journeys):
            if ended.wait(_LOOK_EVERY_S):
                return False
            stage.check_children()
            stage.look()
            if screen is not None:
                screen.update(journey_table(stage.journeys, f"API: {stage.api}"))
    console.print(journey_table(stage.journeys, f"API: {stage.api}"))
    return True


def _name(journey: Journey) -> str:
    return f"{journey.study.accession_number} {journey.study.description} ({len(journey.study.files)} images)"
