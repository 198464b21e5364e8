"""The `check` command: findings of the files first, then every partner's answer as a table."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dicom_nodes.foundation.event_log import configure_event_log
from readacross.check.agreement import disagreements
from readacross.check.loading import Finding, load_files
from readacross.check.outcome import Outcome
from readacross.check.partners import Probe, probes

_AT_ONCE = 8


def check(
    files: Annotated[list[Path], typer.Argument(help="Trust files and router files, in any order.")],
    probe: Annotated[bool, typer.Option("--probe/--no-probe", help="Ask every partner that the files name.")] = True,
) -> None:
    """Check files against each other, then ask every partner: C-ECHO, C-STORE, C-FIND, C-GET, MLLP, REST, router."""
    configure_event_log(as_json=False)
    console = Console()
    loaded = load_files(files)
    findings = [*loaded.findings, *disagreements(loaded)]
    _show_findings(console, findings, len(files))
    for warning in loaded.warnings:
        console.print(f"[yellow]![/] {escape(str(warning))}", soft_wrap=True)
    outcomes = _ask(list(probes(loaded))) if probe else []
    if outcomes:
        console.print(_table(outcomes))
    elif probe:
        console.print("No partner to ask.")
    if findings or not all(outcome.ok for outcome in outcomes):
        raise typer.Exit(1)


def _show_findings(console: Console, findings: list[Finding], count: int) -> None:
    for finding in findings:
        console.print(f"[red]✗[/] {escape(str(finding))}", soft_wrap=True)
    if not findings:
        console.print(f"[green]✓[/] {count} file{'s' if count != 1 else ''}: valid, and in agreement")


def _ask(questions: list[Probe]) -> list[Outcome]:
    """Ask all, several at a time; one slow partner does not hold up the others."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(Probe.outcome, questions))


def _table(outcomes: list[Outcome]) -> Table:
    table = Table("file", "partner", "asked", "", "answer", title="partners")
    for outcome in outcomes:
        mark = "[green]✓[/]" if outcome.ok else "[red]✗[/]"
        table.add_row(outcome.file, escape(outcome.partner), outcome.question, mark, escape(outcome.words))
    return table
