"""`readacross router` and `readacross token`: run the router, and let somebody in."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from dicom_nodes.foundation.event_log import configure_event_log
from router.config import load_router_settings

Role = Literal["admin", "coordinator", "reader", "node"]
RouterToml = Annotated[Path, typer.Argument(metavar="ROUTER.toml", help="The router's file.")]


def router(router_file: RouterToml) -> None:
    """Run the router until SIGTERM or Ctrl-C."""
    settings = load_router_settings(router_file)
    from router.app import serve  # wires everything: not needed to say what is wrong with a file

    configure_event_log(as_json=not sys.stderr.isatty())
    try:
        raise typer.Exit(serve(settings))
    except OSError as error:
        print(f"{router_file}: router.listen: cannot listen there: {error.strerror}", file=sys.stderr)
        raise typer.Exit(1) from None


def token(
    router_file: RouterToml,
    role: Annotated[Role, typer.Option(help="What the bearer may do.")],
    subject: Annotated[str, typer.Option(help="Who: a node's ODS code, a reader's id, a person's name.")],
    out: Annotated[Path | None, typer.Option(help="Write it to this file (mode 0600) instead of the screen.")] = None,
) -> None:
    """Issue a token. The router keeps only its hash: what is lost cannot be shown again."""
    settings = load_router_settings(router_file)
    from router.app import issue_token
    from router.model.errors import RouterError

    try:
        secret = issue_token(settings, role, subject)
    except RouterError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    if out is None:
        typer.echo(secret)
        return
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(secret + "\n")
    typer.echo(f"wrote the token of {role} {subject} to {out}")
