"""The spool: a file an instance, durable before anybody is told so, never overwritten.

A file appears under its final name only when its bytes are synced (write, fsync, rename, fsync of the folder), so
whatever has that name is whole. Names say which object it is; a listing of folders finds what the catalogue lacks.
"""

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dicom_nodes.encoding.header import read_header
from dicom_nodes.encoding.part10 import ObjectMeta, file_meta, read_meta
from dicom_nodes.encoding.walk import DamagedDataSetError
from dicom_nodes.flows.ports import Checkpoint, no_checkpoint
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.model.errors import CrashConsistency, OutOfResources
from dicom_nodes.model.instance import (
    IncomingInstance,
    InstanceHeader,
    QuarantinedInstance,
    SpooledInstance,
    quarantine_id_of,
)

_HEAD_BYTES = 16_384


class FileSpool:
    """Objects under `folder/objects/xx/`, quarantined ones under `folder/quarantine/`, with a note beside each."""

    def __init__(self, folder: Path, checkpoint: Checkpoint = no_checkpoint) -> None:
        self._folder = folder
        self._objects, self._quarantine = folder / "objects", folder / "quarantine"
        self._incoming = folder / "incoming"
        self._checkpoint = checkpoint
        self.damaged: set[str] = set()
        """Names of objects that could not be read back; they stay where they are for a person to look at."""
        for place in (self._objects, self._quarantine, self._incoming):
            place.mkdir(parents=True, exist_ok=True)
        for number in range(256):
            (self._objects / f"{number:02x}").mkdir(exist_ok=True)
        for left_over in self._incoming.iterdir():
            left_over.unlink()
        for place in (folder, self._objects):
            _sync_folder(place)

    def keep(self, incoming: IncomingInstance, header: InstanceHeader, digest: str) -> SpooledInstance:
        """Make the instance durable.

        Raises:
            OutOfResources: the disk would not take it; nothing is left behind.
        """
        name = hashlib.sha256(incoming.sop_instance_uid.encode()).hexdigest()[:32]
        location = f"{name[:2]}/{name}-{digest[:32]}.dcm"
        notes = {
            "patient_id_issuer": header.patient_id_issuer,
            "accession_issuer": header.accession_issuer,
            "digest": digest,
        }
        self._write(self._objects / location, self._meta(incoming, notes), incoming.data_set)
        return SpooledInstance(header, incoming.provenance, digest, len(incoming.data_set), location)

    def quarantine(
        self, incoming: IncomingInstance, digest: str, study_instance_uid: str | None, reason: str
    ) -> QuarantinedInstance:
        """Make it durable aside. The same bytes under the same UID always get the same id."""
        quarantine_id = quarantine_id_of(incoming.sop_instance_uid, digest)
        notes = {"reason": reason, "study_instance_uid": study_instance_uid, "digest": digest}
        self._write(self._quarantine / f"{quarantine_id}.dcm", self._meta(incoming, notes), incoming.data_set)
        return QuarantinedInstance(
            quarantine_id=quarantine_id,
            reason=reason,
            sop_class_uid=incoming.sop_class_uid,
            sop_instance_uid=incoming.sop_instance_uid,
            study_instance_uid=study_instance_uid,
            transfer_syntax_uid=incoming.transfer_syntax_uid,
            provenance=incoming.provenance,
            digest=digest,
            size_bytes=len(incoming.data_set),
        )

    def read_data_set(self, location: str) -> bytes:
        """The data set as received, its digest checked against the one noted when it was kept."""
        try:
            return self._load(self._objects / location)[1]
        except CrashConsistency as error:
            self._note_damage(self._objects / location, error)
            raise

    def free_bytes(self) -> int:
        return shutil.disk_usage(self._folder).free

    def unlisted(self, is_listed: Callable[[str], bool]) -> Iterator[SpooledInstance]:
        """Objects the catalogue does not know, read back from their files."""
        for file in sorted(self._objects.glob("*/*.dcm")):
            location = f"{file.parent.name}/{file.name}"
            if is_listed(location):
                continue
            try:
                meta, data_set = self._load(file)
                header = read_header(data_set, meta.transfer_syntax_uid)
            except (CrashConsistency, DamagedDataSetError) as error:
                self._note_damage(file, error)
                continue
            header = header.qualified(meta.notes["patient_id_issuer"], meta.notes["accession_issuer"])
            yield SpooledInstance(header, meta.provenance, meta.notes["digest"], len(data_set), location)

    def unlisted_quarantine(self, is_listed: Callable[[str], bool]) -> Iterator[QuarantinedInstance]:
        for file in sorted(self._quarantine.glob("*.dcm")):
            if is_listed(file.stem):
                continue
            try:
                meta, data_set = self._load(file)
            except CrashConsistency as error:
                self._note_damage(file, error)
                continue
            yield QuarantinedInstance(
                quarantine_id=file.stem,
                reason=meta.notes["reason"],
                sop_class_uid=meta.sop_class_uid,
                sop_instance_uid=meta.sop_instance_uid,
                study_instance_uid=meta.notes["study_instance_uid"],
                transfer_syntax_uid=meta.transfer_syntax_uid,
                provenance=meta.provenance,
                digest=meta.notes["digest"],
                size_bytes=len(data_set),
            )

    def _note_damage(self, file: Path, error: Exception) -> None:
        """One damaged object never keeps a node from starting: it is counted, and the node's health says so."""
        self.damaged.add(file.name)
        event_log().error("spool.object_damaged", object=file.name, exc_info=error)

    @staticmethod
    def _load(file: Path) -> tuple[ObjectMeta, bytes]:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise CrashConsistency(f"spool object {file.name}: {error.strerror}") from None
        meta = read_meta(content[:_HEAD_BYTES], file.name)
        data_set = content[meta.data_set_offset :]
        if hashlib.sha256(data_set).hexdigest() != meta.notes["digest"]:
            raise CrashConsistency(f"spool object {file.name}: its content is not what was kept")
        return meta, data_set

    @staticmethod
    def _meta(incoming: IncomingInstance, notes: dict[str, Any]) -> bytes:
        return file_meta(
            incoming.sop_class_uid, incoming.sop_instance_uid, incoming.transfer_syntax_uid, incoming.provenance, notes
        )

    def _write(self, target: Path, meta: bytes, data_set: bytes) -> None:
        unfinished = self._incoming / uuid.uuid4().hex
        try:
            with unfinished.open("xb") as stream:
                stream.write(meta)
                stream.write(data_set)
                stream.flush()
                self._checkpoint("spool.written")
                os.fsync(stream.fileno())
            self._checkpoint("spool.synced")
            known = target.exists()
            unfinished.rename(target)
            try:
                _sync_folder(target.parent)
            except OSError:
                if not known:  # what was refused must not be found as kept after a restart
                    target.unlink(missing_ok=True)
                raise
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise OutOfResources(f"the spool cannot write: {error.strerror}") from None
        self._checkpoint("spool.renamed")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
