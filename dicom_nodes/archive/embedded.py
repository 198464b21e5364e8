"""A folder of Part 10 files, `STUDY/SERIES/INSTANCE.dcm`, for demonstrations and small sites.

It answers 0000 only for what is synced, and never overwrites: the same UID with other bytes is refused.
"""

import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from dicom_nodes.encoding.header import read_header
from dicom_nodes.encoding.part10 import plain_file_meta
from dicom_nodes.encoding.walk import DamagedDataSetError, as_data
from dicom_nodes.foundation.buffers import LET_GO_EVERY_BYTES, Buffer, let_go
from dicom_nodes.model.delivery import OutgoingInstance, StoreResult
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.model.errors import CrashConsistency

_PIECE_BYTES = 1 << 20


class EmbeddedArchive:
    """Implements `Archive`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def name(self) -> str:
        return "embedded"

    def store(self, instances: Sequence[OutgoingInstance]) -> Iterator[StoreResult]:
        for instance in instances:
            yield self._store_one(instance)

    def _store_one(self, instance: OutgoingInstance) -> StoreResult:
        try:
            data_set = instance.read_data_set()
            header = read_header(as_data(data_set), instance.transfer_syntax_uid)
        except (CrashConsistency, DamagedDataSetError) as error:
            return StoreResult(instance.sop_instance_uid, Status.CANNOT_UNDERSTAND, str(error))
        meta = plain_file_meta(instance.sop_class_uid, instance.sop_instance_uid, instance.transfer_syntax_uid)
        content = (meta, data_set)
        series = self._folder / header.study_instance_uid / header.series_instance_uid
        file = series / f"{instance.sop_instance_uid}.dcm"
        if file.exists():
            if _holds(file, content):
                return StoreResult(instance.sop_instance_uid, Status.SUCCESS)
            return StoreResult(
                instance.sop_instance_uid, Status.CANNOT_UNDERSTAND, "the archive holds other content under this UID"
            )
        try:
            _write_synced(series, file, content)
        except OSError as error:
            return StoreResult(instance.sop_instance_uid, Status.OUT_OF_RESOURCES, error.strerror or "cannot write")
        return StoreResult(instance.sop_instance_uid, Status.SUCCESS)


def _holds(file: Path, content: Sequence[Buffer]) -> bool:
    """Whether the file's content is just that, looked at piece by piece."""
    with file.open("rb") as stream:
        for part in content:
            view = memoryview(part)
            for at in range(0, len(view), _PIECE_BYTES):
                piece = view[at : at + _PIECE_BYTES]
                if stream.read(len(piece)) != piece:
                    return False
                let_go(piece)
        return not stream.read(1)


def _write_synced(folder: Path, file: Path, content: Sequence[Buffer]) -> None:
    """Write under another name, sync, rename, and sync every folder that gained an entry."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{uuid.uuid4().hex}"
    try:
        with unfinished.open("xb") as stream:
            for part in content:
                view = memoryview(part)
                for at in range(0, len(view), LET_GO_EVERY_BYTES):
                    stream.write(view[at : at + LET_GO_EVERY_BYTES])
                    let_go(view)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.rename(file)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    for place in (folder, folder.parent, folder.parent.parent):
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
