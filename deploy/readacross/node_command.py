"""`readacross node`: run one trust's node until it is told to stop."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from dicom_nodes.config import load_node_settings
from dicom_nodes.foundation.event_log import configure_event_log


def node(
    trust_file: Annotated[Path, typer.Argument(metavar="TRUST.toml", help="The trust's file.")],
) -> None:
    """Run a trust's node until SIGTERM or Ctrl-C; it finishes or hands back what is in hand."""
    settings = load_node_settings(trust_file)
    from dicom_nodes.app import run  # wires everything: not needed to say what is wrong with a file
    from dicom_nodes.model.errors import CrashConsistency

    configure_event_log(as_json=not sys.stderr.isatty())
    try:
        code = run(settings)
    except CrashConsistency as error:
        print(f"{trust_file}: node.data_dir: {error}", file=sys.stderr)
        code = 1
    raise typer.Exit(code)
