"""A pynetdicom storage SCP at its fastest and least durable. Run as a process: PORT FOLDER AE_TITLE [chunked]."""

import sys
import tempfile
from pathlib import Path

from pynetdicom import AE, AllStoragePresentationContexts, _config, evt
from pynetdicom.events import Event

from readacross.bench.synthetic import TRANSFER_SYNTAX


def _store_from_memory(event: Event, folder: Path) -> int:
    _target(event, folder).write_bytes(event.encoded_dataset())
    return 0x0000


def _store_from_chunks(event: Event, folder: Path) -> int:
    """The library has written the file while it was received; it only gets its name."""
    Path(event.dataset_path).rename(_target(event, folder))
    return 0x0000


def _target(event: Event, folder: Path) -> Path:
    return folder / f"{event.file_meta.MediaStorageSOPInstanceUID}.dcm"


def _main() -> None:
    port, folder, ae_title = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    store = _store_from_memory
    if "chunked" in sys.argv[4:]:
        _config.STORE_RECV_CHUNKED_DATASET = True
        tempfile.tempdir = str(folder)  # where the library puts them; a rename must not cross file systems
        store = _store_from_chunks
    entity = AE(ae_title)
    entity.maximum_pdu_size = 0
    entity.maximum_associations = 1000
    entity.network_timeout = 300
    for context in AllStoragePresentationContexts:
        if context.abstract_syntax is not None:
            entity.add_supported_context(context.abstract_syntax, TRANSFER_SYNTAX)
    entity.start_server(("127.0.0.1", port), block=True, evt_handlers=[(evt.EVT_C_STORE, store, [folder])])


if __name__ == "__main__":
    _main()
