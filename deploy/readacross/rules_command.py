"""`readacross rules`: check a rules file, try it, let it in, take it back."""

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from readacross.refusals import RouterSaidNo
from readacross.replay_page import replay_page
from readacross.rules_back import rollback, switch_off
from readacross.rules_client import RulesClient
from readacross.rules_tables import (
    dry_run_tables,
    history_table,
    problem_lines,
    replay_tables,
    rules_table,
    versions_table,
)
from readacross.trace import RouterUrl, TokenFile
from router.config import load_router_settings
from router.rules.routing_rules.checking import check
from router.rules.routing_rules.known_names import KnownNames, names_of_settings
from router.rules.routing_rules.rule_file import read_rules
from router.rules.routing_rules.vocabulary import VOCABULARY
from router.web.rule_messages import ProblemView, ReplayView

rules = typer.Typer(help="Routing rules: check, try, activate, roll back.", no_args_is_help=True)

RulesFile = Annotated[Path, typer.Argument(metavar="FILE", help="A rules file (TOML).")]
Version = Annotated[int, typer.Argument(metavar="VERSION", help="Number of the rule set, as `list` shows it.")]
_DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M%z", "%Y-%m-%d %H:%M"]


@rules.command()
def validate(
    file: RulesFile,
    settings: Annotated[
        Path | None,
        typer.Option(metavar="ROUTER.toml", help="Compare names with this router's seeds as well."),
    ] = None,
) -> None:
    """Say everything that is wrong with a rules file: line, column, what was expected, what was perhaps meant."""
    known = KnownNames() if settings is None else names_of_settings(load_router_settings(settings))
    text = read_rules(file)
    problems = check(text, known, datetime.now(UTC)).problems
    _tell([ProblemView(**asdict(problem)) for problem in problems], file, text)


@rules.command()
def vocabulary() -> None:
    """Show the names that conditions may use."""
    table = Table("name", "kind", "means", title="what a condition may name")
    for name in VOCABULARY:
        table.add_row(name.name, name.kind, name.means)
    Console().print(table)


@rules.command("list")
def listing(router: RouterUrl, token_file: TokenFile) -> None:
    """Show every version, newest first."""
    with RulesClient.from_file(router, token_file) as client:
        Console().print(versions_table(client.rule_sets()))


@rules.command()
def show(
    router: RouterUrl,
    token_file: TokenFile,
    version: Annotated[int | None, typer.Argument(metavar="VERSION", help="The active one if left out.")] = None,
    text: Annotated[bool, typer.Option("--text", help="Print the file as it was written instead.")] = False,
) -> None:
    """Show the rules of a version in order, and what was done with it."""
    with RulesClient.from_file(router, token_file) as client:
        one = client.rule_set(client.active().version if version is None else version)
    if text:
        typer.echo(one.text, nl=False)
        return
    console = Console()
    console.print(rules_table(one))
    console.print(history_table(one))


@rules.command()
def submit(
    file: RulesFile,
    router: RouterUrl,
    token_file: TokenFile,
    comment: Annotated[str, typer.Option(help="What this version changes, and why.")],
) -> None:
    """Send a rules file to the router as a draft, and validate it there."""
    text = read_rules(file)
    with RulesClient.from_file(router, token_file) as client:
        answer = client.submit(text, comment)
    assert answer.rule_set is not None
    typer.echo(f"rule set {answer.rule_set.version} is {answer.rule_set.state}")
    _tell(answer.problems, file, text)


@rules.command()
def approve(
    version: Version,
    router: RouterUrl,
    token_file: TokenFile,
    comment: Annotated[str, typer.Option(help="What you looked at.")],
) -> None:
    """Say, as a second person, that a version may be activated."""
    with RulesClient.from_file(router, token_file) as client:
        typer.echo(f"rule set {client.approve(version, comment).version} is approved")


@rules.command("dry-run")
def dry_run(
    version: Version,
    router: RouterUrl,
    token_file: TokenFile,
    study: Annotated[str | None, typer.Option(metavar="UID", help="Study Instance UID.")] = None,
    accession: Annotated[str | None, typer.Option(help="Accession number; needs --issuer.")] = None,
    issuer: Annotated[str | None, typer.Option(help="Whose accession number it is.")] = None,
) -> None:
    """Try a version on one study: which rules match, and what would change."""
    named = {"study_instance_uid": study, "accession_number": accession, "accession_issuer": issuer}
    with RulesClient.from_file(router, token_file) as client:
        run = client.dry_run(version, {key: value for key, value in named.items() if value is not None})
    console = Console()
    for part in dry_run_tables(run):
        console.print(part)


@rules.command()
def replay(
    version: Version,
    router: RouterUrl,
    token_file: TokenFile,
    start: Annotated[datetime, typer.Option("--from", formats=_DATES, help="UTC unless it has an offset.")],
    end: Annotated[datetime, typer.Option("--to", formats=_DATES, help="Just before then.")],
    baseline: Annotated[int | None, typer.Option(help="Compare with this version instead of the active one.")] = None,
    studies: Annotated[int, typer.Option(min=0, max=5000, help="List at most so many studies.")] = 20,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page of charts and tables too.")] = None,
) -> None:
    """Route a past period by a version: what would have gone elsewhere, and what it asks of readers."""
    with RulesClient.from_file(router, token_file) as client:
        replayed = client.replay(version, _aware(start), _aware(end), baseline, studies)
    if html is not None:
        _write_page(html, replayed, f"{_aware(start):%Y-%m-%d %H:%M} to {_aware(end):%Y-%m-%d %H:%M} UTC")
    console = Console()
    for part in replay_tables(replayed):
        console.print(part)


@rules.command()
def activate(
    version: Version,
    router: RouterUrl,
    token_file: TokenFile,
    expected_active: Annotated[
        int | None, typer.Option("--expect", min=1, help="Refuse if another version than this is active by now.")
    ] = None,
) -> None:
    """Route by this version from now on."""
    with RulesClient.from_file(router, token_file) as client:
        client.activate(version, expected_active)
    typer.echo(f"rule set {version} is active")


rules.command()(rollback)
rules.command("switch-off")(switch_off)


def _tell(problems: list[ProblemView], file: Path, text: str) -> None:
    console, name = Console(soft_wrap=True, highlight=False), file.name
    for line in problem_lines(problems, name, text):
        console.print(line)
    errors = sum(problem.severity == "error" for problem in problems)
    if errors:
        print(f"{name}: {errors} error{'s' if errors > 1 else ''}; it cannot be used", file=sys.stderr)
        raise typer.Exit(1)
    typer.echo(f"{name}: can be used" + (f"; {len(problems)} to look at" if problems else ""))


def _write_page(file: Path, replayed: ReplayView, period: str) -> None:
    try:
        file.write_text(replay_page(replayed, period), encoding="utf-8")
    except OSError as error:
        raise RouterSaidNo(f"{file}: the page cannot be written: {error.strerror}") from None


def _aware(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
