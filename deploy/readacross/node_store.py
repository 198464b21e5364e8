"""Opens a node's database beside the node, for commands that look at it or put something right."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dicom_nodes.config import load_node_settings
from dicom_nodes.foundation.settings_file import SettingsError

if TYPE_CHECKING:
    from dicom_nodes.spool.store import NodeStore


@contextmanager
def node_store_of(trust_file: Path) -> Iterator["NodeStore"]:
    """The store of the node of this trust file, until the block ends.

    Raises:
        SettingsError: the file cannot be used, or no node has run with it yet.
    """
    settings = load_node_settings(trust_file)
    from dicom_nodes.wiring import open_node_store  # slow to import; wrong settings are told at once

    if settings.node.database_url is None and not settings.node.data_dir.is_dir():
        reason = f"{settings.node.data_dir} does not exist: no node has run with this file yet"
        raise SettingsError(trust_file, [("node.data_dir", reason)])
    store = open_node_store(settings)
    try:
        yield store
    finally:
        store.database.dispose()
