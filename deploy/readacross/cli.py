"""The `readacross` command: its subcommands, and how a mistake in a file is told."""

import sys
from collections.abc import Iterable
from importlib import import_module

import typer

from dicom_nodes.foundation.settings_file import SettingsError
from readacross.refusals import RouterSaidNo

EXIT_SETTINGS = 2

_SUBCOMMANDS = {
    "node": "node_command:node",
    "router": "router_command:router",
    "token": "router_command:token",
    "check": "check.command:check",
    "trace": "trace:trace",
    "why": "why:why",
    "parked": "parked:parked",
    "refused": "refused:refused",
    "held": "held:held",
    "patients": "patients:patients",
    "export": "export:export",
    "queue": "human_queue:queue",
    "deliveries": "deliveries:deliveries",
    "alerts": "alerts:alerts",
    "rules": "rules_command:rules",
    "spool": "spool:spool",
    "rota": "rota:rota",
    "codes": "codes:codes",
    "demo": "demo.command:demo",
    "simulate": "simulate_command:simulate",
    "bench": "bench.command:bench",
}
"""Where each is: imported when it is wanted, so that no node carries the planner's libraries or waits for them."""


def command_line(names: Iterable[str] = _SUBCOMMANDS) -> typer.Typer:
    """The command with these subcommands, by default with all."""
    app = typer.Typer(
        name="readacross",
        help="Federated PACS image sharing and report routing.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback()(_nothing_beside_subcommands)
    for name in names:
        module, attribute = _SUBCOMMANDS[name].split(":")
        subcommand = getattr(import_module(f"readacross.{module}"), attribute)
        if isinstance(subcommand, typer.Typer):
            app.add_typer(subcommand, name=name)
        else:
            app.command(name)(subcommand)
    return app


def _nothing_beside_subcommands() -> None:
    pass


def main() -> None:
    """Run the command; what went wrong is said in lines on standard error, not in a traceback."""
    named = sys.argv[1:2]
    try:
        command_line(named if named and named[0] in _SUBCOMMANDS else _SUBCOMMANDS)()
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(EXIT_SETTINGS)
    except RouterSaidNo as error:
        print(error, file=sys.stderr)
        sys.exit(1)
