"""`readacross export`: a study out of a node's spool as ordinary .dcm files, whether or not the node runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from dicom_nodes.config import NodeSettings, load_node_settings
from dicom_nodes.foundation.settings_file import SettingsError
from dicom_nodes.spool.export import (
    Exported,
    SpoolReader,
    Wanted,
    found_in_segments,
    listed_instances,
    listed_quarantined,
)
from dicom_nodes.spool.export import export as write_files

_PROBLEMS_SHOWN = 50


def export(
    trust_file: Annotated[Path, typer.Argument(metavar="TRUST.toml", help="The trust's file.")],
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the files go: STUDY/SERIES/INSTANCE.dcm.")],
    study: Annotated[str | None, typer.Option(metavar="UID", help="The study with this Study Instance UID.")] = None,
    quarantined: Annotated[str | None, typer.Option(metavar="ID", help="One object in quarantine.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every study, and all that is in quarantine.")] = False,
    without_catalogue: Annotated[
        bool, typer.Option(help="Do not ask the database, which may be gone: look through the spool itself.")
    ] = False,
) -> None:
    """Write images of the spool as DICOM files; exit code 1 when anything is missing."""
    if (study is not None) + (quarantined is not None) + everything != 1:
        raise typer.BadParameter("expected one of --study UID, --quarantined ID and --all")
    settings = load_node_settings(trust_file)
    folder = settings.node.data_dir / "spool"
    if not folder.is_dir():
        reason = f"{folder} does not exist: no node has run with this file yet"
        raise SettingsError(trust_file, [("node.data_dir", reason)])
    reader = SpoolReader(folder)
    if without_catalogue:
        done = _looked_through(reader, study, quarantined, to)
    else:
        done = _listed(settings, reader, study, quarantined, to)
    for problem in done.problems[:_PROBLEMS_SHOWN]:
        typer.echo(problem, err=True)
    if len(done.problems) > _PROBLEMS_SHOWN:
        typer.echo(f"… and {len(done.problems) - _PROBLEMS_SHOWN} more", err=True)
    there = f", {done.there_already} of them were there already" if done.there_already else ""
    typer.echo(f"{done.written + done.there_already} of {done.wanted} instances are in {to}{there}")
    if not done.wanted:
        typer.echo("nothing of that is in the spool", err=True)
    raise typer.Exit(0 if done.is_complete and done.wanted else 1)


def _listed(
    settings: NodeSettings, reader: SpoolReader, study: str | None, quarantined: str | None, to: Path
) -> Exported:
    from dicom_nodes.wiring import open_node_store

    if settings.node.database_url is None and not (settings.node.data_dir / "node.db").is_file():
        typer.echo(f"{settings.node.data_dir / 'node.db'} is gone; try --without-catalogue", err=True)
        raise typer.Exit(1)
    store = open_node_store(settings)
    try:

        def wanted() -> Iterator[Wanted]:
            if quarantined is None:
                yield from listed_instances(store.database, study)
            if study is None:
                yield from listed_quarantined(store.database, quarantined)

        return write_files(wanted(), reader, to)
    finally:
        store.database.dispose()


def _looked_through(reader: SpoolReader, study: str | None, quarantined: str | None, to: Path) -> Exported:
    problems: list[str] = []
    found = found_in_segments(reader, study, with_quarantined=study is None, problems=problems)
    if quarantined is not None:
        found = (item for item in found if item.file.stem == quarantined)
    done = write_files(found, reader, to)
    done.problems += problems
    done.problems += [f"segment {name}: is damaged at its beginning, and was passed over" for name in reader.unreadable]
    return done
