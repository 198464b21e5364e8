"""A pynetdicom storage SCP at its fastest and least durable. Run as a process: PORT FOLDER AE_TITLE."""

import sys
from pathlib import Path

from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.events import Event

from readacross.bench.synthetic import TRANSFER_SYNTAX


def _store(event: Event, folder: Path) -> int:
    target = folder / f"{event.file_meta.MediaStorageSOPInstanceUID}.dcm"
    target.write_bytes(event.encoded_dataset())
    return 0x0000


def _main() -> None:
    port, folder, ae_title = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    entity = AE(ae_title)
    entity.maximum_pdu_size = 0
    entity.maximum_associations = 1000
    entity.network_timeout = 300
    for context in AllStoragePresentationContexts:
        if context.abstract_syntax is not None:
            entity.add_supported_context(context.abstract_syntax, TRANSFER_SYNTAX)
    entity.start_server(("127.0.0.1", port), block=True, evt_handlers=[(evt.EVT_C_STORE, _store, [folder])])


if __name__ == "__main__":
    _main()
