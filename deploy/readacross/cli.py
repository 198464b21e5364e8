"""The `readacross` command: its subcommands, and how a mistake in a file is told."""

import sys

import typer

from dicom_nodes.foundation.settings_file import SettingsError
from readacross import node_command, router_command
from readacross.bench.command import bench
from readacross.check.command import check
from readacross.codes import codes
from readacross.demo.command import demo
from readacross.export import export
from readacross.human_queue import queue
from readacross.parked import parked
from readacross.rota import rota
from readacross.router_client import RouterSaidNo
from readacross.rules_command import rules
from readacross.simulate_command import simulate
from readacross.spool import spool
from readacross.trace import trace
from readacross.why import why

EXIT_SETTINGS = 2

app = typer.Typer(
    name="readacross",
    help="Federated PACS image sharing and report routing.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(node_command.node)
app.command()(router_command.router)
app.command()(router_command.token)
app.command()(check)
app.command()(trace)
app.command()(why)
app.command()(parked)
app.command()(export)
app.add_typer(queue, name="queue")
app.add_typer(rules, name="rules")
app.add_typer(spool, name="spool")
app.add_typer(rota, name="rota")
app.add_typer(codes, name="codes")
app.command()(demo)
app.command()(simulate)
app.add_typer(bench, name="bench")


def main() -> None:
    """Run the command; what went wrong is said in lines on standard error, not in a traceback."""
    try:
        app()
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(EXIT_SETTINGS)
    except RouterSaidNo as error:
        print(error, file=sys.stderr)
        sys.exit(1)
