"""`readacross bench …`: what can be measured, and with which options."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from readacross.bench.associations_bench import AssociationsBench, AssociationsPlan
from readacross.bench.find_bench import FindBench, FindPlan
from readacross.bench.hostile_callers import CALLERS
from readacross.bench.line_up import NAMES, line_up
from readacross.bench.machine import in_words
from readacross.bench.neighbours import NeighboursBench, NeighboursPlan
from readacross.bench.plan_bench import PlanBench, PlanPlan, smaller
from readacross.bench.region_bench import RegionBench, RegionPlan, smaller_region
from readacross.bench.report import tables_of
from readacross.bench.results import CannotMeasure, Result
from readacross.bench.retrieve_bench import RetrieveBench, RetrievePlan
from readacross.bench.store_bench import SENDERS, StoreBench, StorePlan
from readacross.bench.synthetic import KINDS

bench = typer.Typer(
    help="Measure this node beside other people's programs, on this machine, in one run.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
_progress = Console(stderr=True, highlight=False)
_console = Console()
if not _console.is_terminal:
    _console = Console(width=120)

_INSTANCES = {"ct": 1000, "mr": 2000, "cr": 60, "mf": 3, "tiny": 50}
_QUICK_INSTANCES = {"ct": 6, "mr": 8, "cr": 2, "mf": 1, "tiny": 6}
_STORING = "node,node-steady,storescp,dcmqrscp,orthanc,pynetdicom"

Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write everything measured to this file.")]
Folder = Annotated[Path, typer.Option(help="Where contestants keep their files: on the disk to be measured.")]
Rounds = Annotated[int, typer.Option(min=1, help="How often each contestant is measured, one after the other.")]
Quick = Annotated[bool, typer.Option("--quick", help="Tiny numbers, one round: shows that it works, measures nothing.")]
Kinds = Annotated[str, typer.Option(help=f"What to send, of {', '.join(KINDS)}.")]
Associations = Annotated[str, typer.Option(help="How many associations at once; large images come over the first.")]
Instances = Annotated[str, typer.Option(help="How many instances a run: ct=1000,mr=2000.")]
Contestants = Annotated[str, typer.Option(help=f"Who takes part, of {', '.join(NAMES)}.")]
NodeSetting = Annotated[
    list[str] | None,
    typer.Option(metavar="SECTION.KEY=TOML", help="A line for the node's trust file, such as node.workers=4."),
]
DEFAULT_FOLDER = Path("var/bench")


@bench.command()
def store(
    kinds: Kinds = "ct,mr,cr,mf",
    associations: Associations = "1,4,8",
    senders: Annotated[str, typer.Option(help=f"Who sends, of {', '.join(SENDERS)}.")] = ",".join(SENDERS),
    contestants: Contestants = _STORING,
    instances: Instances = "",
    rounds: Rounds = 5,
    folder: Folder = DEFAULT_FOLDER,
    node_setting: NodeSetting = None,
    json: Json = None,
    quick: Quick = False,
) -> None:
    """C-STORE: how fast, at what cost, and how steadily each contestant takes the same images."""
    plan = StorePlan(
        _words(kinds, KINDS),
        [int(word) for word in associations.split(",")],
        _words(senders, SENDERS),
        1 if quick else rounds,
        (_QUICK_INSTANCES if quick else _INSTANCES) | _numbers(instances),
    )
    with _measuring("store", folder, json, locals()) as (result, place):
        taking_part = line_up(_words(contestants, NAMES), _settings(node_setting), result)
        StoreBench(plan, taking_part, place, result, _tell).run()


@bench.command()
def disk(
    kinds: Kinds = "ct,mr",
    associations: Annotated[str, typer.Option(help="How many writers at once.")] = "1,4,8",
    instances: Instances = "",
    rounds: Rounds = 5,
    folder: Folder = DEFAULT_FOLDER,
    json: Json = None,
    quick: Quick = False,
) -> None:
    """The disk's own floor: preallocated files overwritten, synced after each instance."""
    plan = StorePlan(
        _words(kinds, KINDS),
        [int(word) for word in associations.split(",")],
        [],
        1 if quick else rounds,
        (_QUICK_INSTANCES if quick else _INSTANCES) | _numbers(instances),
    )
    with _measuring("disk", folder, json, locals()) as (result, place):
        StoreBench(plan, [], place, result, _tell).run()


@bench.command()
def retrieve(
    kind: Annotated[str, typer.Option(help=f"What the study is of: {', '.join(KINDS)}.")] = "ct",
    slices: Annotated[int, typer.Option(min=1, help="How many instances the study has.")] = 1000,
    contestants: Contestants = "node,dcmqrscp,orthanc",
    rounds: Rounds = 5,
    folder: Folder = DEFAULT_FOLDER,
    node_setting: NodeSetting = None,
    json: Json = None,
    quick: Quick = False,
) -> None:
    """C-GET and C-MOVE of one study: how fast, and how soon the first image is there."""
    plan = RetrievePlan(_words(kind, KINDS)[0], 8 if quick else slices, 1 if quick else rounds)
    with _measuring("retrieve", folder, json, locals()) as (result, place):
        taking_part = line_up(_words(contestants, NAMES), _settings(node_setting), result)
        RetrieveBench(plan, taking_part, place, result, _tell).run()


@bench.command()
def find(
    studies: Annotated[int, typer.Option(min=1, help="How many studies the catalogue holds.")] = 100_000,
    repeats: Annotated[int, typer.Option(min=1, help="How many questions of each kind in a round.")] = 100,
    database_url: Annotated[str | None, typer.Option(help="An empty PostgreSQL database; default: SQLite.")] = None,
    rounds: Rounds = 5,
    folder: Folder = DEFAULT_FOLDER,
    node_setting: NodeSetting = None,
    json: Json = None,
    quick: Quick = False,
) -> None:
    """C-FIND on a node with a large catalogue: how long each kind of question takes."""
    studies, repeats, rounds = (500, 5, 1) if quick else (studies, repeats, rounds)
    with _measuring("find", folder, json, locals()) as (result, place):
        FindBench(FindPlan(studies, repeats, rounds, database_url), _settings(node_setting), place, result, _tell).run()


@bench.command()
def associations(
    idle: Annotated[int, typer.Option(min=0, help="Associations that say nothing.")] = 500,
    active: Annotated[int, typer.Option(min=1, help="Associations that store.")] = 50,
    kind: Annotated[str, typer.Option(help=f"What they store: {', '.join(KINDS)}.")] = "ct",
    instances: Annotated[int, typer.Option(min=1, help="How many instances each of them stores.")] = 20,
    every_s: Annotated[float, typer.Option(min=0.0, help="How often each of them stores one.")] = 1.0,
    contestants: Contestants = "node",
    rounds: Rounds = 5,
    folder: Folder = DEFAULT_FOLDER,
    node_setting: NodeSetting = None,
    json: Json = None,
    quick: Quick = False,
) -> None:
    """What a store takes while many associations are open, against one alone."""
    if quick:
        idle, active, instances, every_s, rounds = 10, 3, 2, 0.05, 1
    plan = AssociationsPlan(_words(kind, KINDS)[0], idle, active, instances, every_s, rounds)
    with _measuring("associations", folder, json, locals()) as (result, place):
        taking_part = line_up(_words(contestants, NAMES), _settings(node_setting), result)
        AssociationsBench(plan, taking_part, place, result, _tell).run()


@bench.command()
def neighbours(
    kind: Annotated[str, typer.Option(help=f"What is stored: {', '.join(KINDS)}.")] = "ct",
    callers: Annotated[str, typer.Option(help=f"Who does harm, of {', '.join(CALLERS)}.")] = ",".join(CALLERS),
    associations: Annotated[int, typer.Option(min=1, help="How many associations store.")] = 2,
    instances: Annotated[int, typer.Option(min=1, help="How many instances they store in each measurement.")] = 1000,
    contestants: Contestants = "node",
    rounds: Rounds = 5,
    folder: Folder = DEFAULT_FOLDER,
    node_setting: NodeSetting = None,
    json: Json = None,
    quick: Quick = False,
) -> None:
    """What a store takes beside callers that mean harm, against the same without them."""
    if quick:
        instances, rounds = 6, 1
    plan = NeighboursPlan(_words(kind, KINDS)[0], _words(callers, CALLERS), associations, instances, rounds)
    with _measuring("neighbours", folder, json, locals()) as (result, place):
        taking_part = line_up(_words(contestants, NAMES), _settings(node_setting), result)
        NeighboursBench(plan, taking_part, place, result, _tell).run()


@bench.command(name="plan")
def plan_(
    reads: Annotated[int, typer.Option(min=1, help="How many reads wait.")] = 10_000,
    readers: Annotated[int, typer.Option(min=1, help="How many readers are on duty.")] = 500,
    trusts: Annotated[int, typer.Option(min=1, help="How many trusts they belong to.")] = 17,
    events: Annotated[int, typer.Option(min=1, help="How many decisions are timed in a round.")] = 200,
    rounds: Rounds = 3,
    folder: Folder = DEFAULT_FOLDER,
    json: Json = None,
    quick: Quick = False,
) -> None:
    """The planner: how long one decision takes, and planning everything anew."""
    plan = PlanPlan(reads, readers, trusts, events, rounds)
    with _measuring("plan", folder, json, locals()) as (result, _):
        PlanBench(smaller(plan) if quick else plan, result, _tell).run()


@bench.command()
def region(
    rate: Annotated[float, typer.Option(min=0.1, help="Arrivals a second, and reads reported a second.")] = 20.0,
    seconds: Annotated[float, typer.Option(min=1.0, help="How long they come.")] = 60.0,
    readers: Annotated[int, typer.Option(min=1, help="How many readers are in a session.")] = 500,
    waiting: Annotated[int, typer.Option(min=0, help="How many reads wait from the beginning.")] = 10_000,
    trusts: Annotated[int, typer.Option(min=1, max=99, help="How many trusts, each with a node.")] = 17,
    plan_every_s: Annotated[float, typer.Option(min=0.1, help="The router's plan_every_s.")] = 5.0,
    postgres: Annotated[
        str | None, typer.Option(metavar="URL|own", help="An empty PostgreSQL database; own: a server just for this.")
    ] = None,
    replicas: Annotated[int, typer.Option(min=1, help="How many routers share the PostgreSQL.")] = 1,
    folder: Folder = DEFAULT_FOLDER,
    json: Json = None,
    quick: Quick = False,
) -> None:
    """A router with its planner: arrivals a second with ledger and explanations, over SQLite or PostgreSQL."""
    plan = RegionPlan(readers, waiting, trusts, rate, seconds, plan_every_s, replicas, postgres)
    if replicas > 1 and postgres is None:
        raise typer.BadParameter("several routers share a PostgreSQL only: give --postgres")
    with _measuring("region", folder, json, locals()) as (result, place):
        RegionBench(smaller_region(plan) if quick else plan, place, result, _tell).run()


@bench.command()
def report(files: Annotated[list[Path], typer.Argument(metavar="FILE.json…", help="What --json wrote.")]) -> None:
    """Print the tables of earlier measurements as markdown."""
    for file in files:
        result = Result.load(file)
        print(f"`{result.command}`, {result.started_at}: {in_words(result.machine)}\n")
        for name, why in result.left_out.items():
            print(f"Left out: {name}: {why}\n")
        for table in tables_of(result):
            print(table.as_markdown())


@contextmanager
def _measuring(
    bench_name: str, folder: Path, json: Path | None, options: dict[str, object]
) -> Iterator[tuple[Result, Path]]:
    """A result to fill and a folder that is gone afterwards; then the tables, the file, and the exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    result = Result.begin(bench_name, folder, {key: value for key, value in options.items() if key != "plan"})
    place = Path(tempfile.mkdtemp(prefix=f"{bench_name}-", dir=folder)).resolve()
    _tell(in_words(result.machine))
    try:
        with _ending_in_good_order():
            yield result, place
    except CannotMeasure as error:
        _progress.print(str(error), style="red")
        raise typer.Exit(2) from None
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if json is not None:
            result.save(json)
    _show(result)
    if result.failures:
        raise typer.Exit(1)


@contextmanager
def _ending_in_good_order() -> Iterator[None]:
    """SIGTERM ends the measurement as Ctrl-C does: what was started is stopped, what was measured is written."""

    def end(*_: object) -> NoReturn:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _show(result: Result) -> None:
    _console.print(in_words(result.machine), highlight=False)
    for name, version in result.versions.items():
        _console.print(f"  {name}: {version}", highlight=False)
    for name, why in result.left_out.items():
        _console.print(f"  left out: {name}: {why}", style="yellow")
    for table in tables_of(result):
        _console.print()
        _console.print(table.for_terminal())
    for failure in result.failures:
        _console.print(f"FAILED {failure}", style="red", highlight=False)


def _tell(words: str) -> None:
    _progress.print(words, style="dim", soft_wrap=True)


def _words(text: str, known: object) -> list[str]:
    words = [word for word in text.split(",") if word]
    assert isinstance(known, (dict, tuple))
    for word in words:
        if word not in known:
            raise typer.BadParameter(f"{word!r} is none of {', '.join(known)}")
    return words


def _numbers(text: str) -> dict[str, int]:
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    return {_words(kind, KINDS)[0]: int(value) for kind, _, value in pairs}


def _settings(lines: list[str] | None) -> dict[str, str]:
    settings: dict[str, str] = {}
    for line in lines or ():
        key, separator, value = line.partition("=")
        if not separator or "." not in key:
            raise typer.BadParameter(f"{line!r}: expected SECTION.KEY=TOML")
        settings[key.strip()] = value.strip()
    return settings
