"""An Orthanc reached by its REST API (pyorthanc).

Orthanc answers `AlreadyStored` for a known SOP Instance UID whatever the bytes; the stored file is then compared, so
that other content under the same UID is refused here instead of being taken for stored.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import httpx
import pyorthanc

from dicom_nodes.encoding.part10 import data_set_of, plain_file_meta
from dicom_nodes.foundation.buffers import LET_GO_EVERY_BYTES, Buffer, let_go
from dicom_nodes.model.delivery import OutgoingInstance, StoreResult
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.model.errors import CrashConsistency, PeerRefused, PeerUnavailable

_PIECE_BYTES = 1 << 20
_LONGEST_FILE_META = 1 << 16


class OrthancArchive:
    """Implements `Archive`."""

    def __init__(self, url: str, username: str | None = None, password: str | None = None) -> None:
        self._url = url
        self._orthanc = pyorthanc.Orthanc(url, username, password, timeout=60.0)

    @property
    def name(self) -> str:
        return f"orthanc at {self._url}"

    def store(self, instances: Sequence[OutgoingInstance]) -> Iterator[StoreResult]:
        for instance in instances:
            yield self._store_one(instance)

    def _store_one(self, instance: OutgoingInstance) -> StoreResult:
        uid = instance.sop_instance_uid
        meta = plain_file_meta(instance.sop_class_uid, uid, instance.transfer_syntax_uid)
        try:
            data_set = instance.read_data_set()
        except CrashConsistency as error:
            return StoreResult(uid, Status.CANNOT_UNDERSTAND, str(error))
        try:
            answer = self._posted(meta, data_set)
            if answer.get("Status") == "Success":
                return StoreResult(uid, Status.SUCCESS)
            if answer.get("Status") != "AlreadyStored":
                return StoreResult(uid, Status.CANNOT_UNDERSTAND, f"Orthanc says {answer.get('Status')!r}")
            is_same = self._holds(answer["ID"], data_set)
        except httpx.HTTPStatusError as error:
            return self._refused(uid, error.response.status_code)
        except httpx.HTTPError as error:
            raise PeerUnavailable(f"{self.name}: {type(error).__name__}") from None
        if is_same:
            return StoreResult(uid, Status.SUCCESS)
        return StoreResult(uid, Status.CANNOT_UNDERSTAND, "Orthanc holds other content under this UID")

    def _posted(self, meta: bytes, data_set: Buffer) -> dict[str, Any]:
        """Send it piece by piece: a long one never lies in memory whole."""
        response = self._orthanc.post(
            f"{self._url}/instances",
            content=chain([meta], _pieces(data_set)),
            headers={"Content-Length": str(len(meta) + len(data_set)), "Content-Type": "application/dicom"},
        )
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer

    def _holds(self, orthanc_id: str, data_set: Buffer) -> bool:
        """Whether Orthanc's file has just this data set, compared as it comes."""
        with self._orthanc.stream("GET", f"{self._url}/instances/{orthanc_id}/file") as response:
            response.raise_for_status()
            return is_file_of(response.iter_bytes(_PIECE_BYTES), data_set)

    def _refused(self, uid: str, http_status: int) -> StoreResult:
        if http_status in {401, 403}:
            raise PeerRefused(f"{self.name} refuses our user name or password (HTTP {http_status})")
        if http_status in {503, 507} or http_status == 429:
            return StoreResult(uid, Status.OUT_OF_RESOURCES, f"Orthanc answered HTTP {http_status}")
        return StoreResult(uid, Status.CANNOT_UNDERSTAND, f"Orthanc answered HTTP {http_status}")


def _pieces(data_set: Buffer) -> Iterator[bytes]:
    """The data set in pieces, none of which is held on to."""
    view = memoryview(data_set)
    for at in range(0, len(view), _PIECE_BYTES):
        yield bytes(view[at : at + _PIECE_BYTES])
        if not at % LET_GO_EVERY_BYTES:
            let_go(view)


def is_file_of(pieces: Iterable[bytes], data_set: Buffer) -> bool:
    """Whether a Part 10 file that comes in pieces has just this data set behind its file meta."""
    view, at, start = memoryview(data_set), 0, b""
    has_begun = False
    for piece in pieces:
        if not has_begun:
            start += piece
            if len(start) < _LONGEST_FILE_META:
                continue
            piece, has_begun = data_set_of(start), True
        if view[at : at + len(piece)] != piece:
            return False
        at += len(piece)
        let_go(view)
    if not has_begun:
        return data_set_of(start) == data_set
    return at == len(view)
