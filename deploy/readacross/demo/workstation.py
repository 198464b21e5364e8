"""The reader's workstation at home: a storage SCP that keeps what it is sent, byte for byte."""

import os
from pathlib import Path
from typing import Self

from pydicom.uid import UID, AllTransferSyntaxes
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from readacross.demo.images import digest_of_file

_SUCCESS, _OUT_OF_RESOURCES, _CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000


class Workstation:
    """Listens on loopback under `ae_title`; files lie in `folder` by SOP Instance UID."""

    def __init__(self, ae_title: str, folder: Path) -> None:
        self.ae_title = ae_title
        self.folder = folder
        self.port = 0
        self._entity = AE(ae_title)
        self._entity.require_called_aet = True
        self._entity.maximum_associations = 20
        self._entity.supported_contexts = [
            build_context(str(context.abstract_syntax), [str(syntax) for syntax in AllTransferSyntaxes])
            for context in AllStoragePresentationContexts
        ]
        self._entity.add_supported_context(Verification)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Listen; the port is known afterwards."""
        self.folder.mkdir(parents=True, exist_ok=True)
        server = self._entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._keep)]
        )
        assert server is not None
        self.port = int(server.server_address[1])
        return self

    def stop(self) -> None:
        self._entity.shutdown()

    def digests(self) -> dict[str, str]:
        """SOP Instance UID → SHA-256 (hex) of the data set as received."""
        return {file.stem: digest_of_file(file) for file in self.folder.glob("*.dcm")}

    def _keep(self, event: evt.Event) -> int:
        request = event.request
        if not isinstance(request, C_STORE):
            return _CANNOT_UNDERSTAND
        uid = UID(str(request.AffectedSOPInstanceUID))
        if not uid.is_valid:
            return 0x0117  # invalid SOP instance
        unfinished = self.folder / f"{uid}.part"
        try:
            with unfinished.open("wb") as file:
                file.write(event.encoded_dataset())
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(self.folder / f"{uid}.dcm")
        except OSError:
            return _OUT_OF_RESOURCES
        return _SUCCESS
