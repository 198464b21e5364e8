"""Take an instance in: checked, durable, then answered; forwarded and settled later by others.

Returning means durable. Whatever cannot be taken is quarantined first and refused then, so no bytes are lost.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import NoReturn

from dicom_nodes.encoding.header import read_header
from dicom_nodes.encoding.walk import DamagedDataSetError
from dicom_nodes.flows.associations import OpenAssociations
from dicom_nodes.flows.ports import Catalogue, Checkpoint, Draft, ReportDocuments, Spool, no_checkpoint
from dicom_nodes.flows.study_claims import StudyClaims
from dicom_nodes.model.errors import CannotUnderstand, OutOfResources, Refused
from dicom_nodes.model.instance import Channel, IncomingInstance, InstanceHeader, StoredObject
from dicom_nodes.model.report import IncomingReport
from dicom_nodes.rules.ingest import KeepAside, Known, judge_header, judge_identity
from dicom_nodes.rules.ownership import owner_said_by

_LATELY_S = 60.0
_LARGEST_DOCUMENT_BYTES = 64 << 20
"""A report is read whole; one that long is none."""
TakeReport = Callable[[IncomingReport], str]


@dataclass(frozen=True, slots=True)
class Issuers:
    """Who issued identifiers that do not say so themselves: the trust the images come from."""

    patient_id: str | None
    accession: str | None


class Ingest:
    """One instance after the other, from any number of threads."""

    def __init__(
        self,
        spool: Spool,
        catalogue: Catalogue,
        associations: OpenAssociations,
        documents: ReportDocuments,
        take_report: TakeReport,
        issuers: Issuers,
        reserve_bytes: int,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> None:
        self._spool, self._catalogue, self._associations = spool, catalogue, associations
        self._documents, self._take_report = documents, take_report
        self._issuers, self._reserve_bytes = issuers, reserve_bytes
        self._checkpoint = checkpoint
        self._refusal: tuple[float, str] | None = None
        self._claims = StudyClaims(catalogue.owner_of)
        self._locks = [threading.Lock() for _ in range(256)]

    def __call__(self, incoming: IncomingInstance, issuers: Issuers | None = None) -> None:
        """Take `incoming`; `issuers` are given for instances of another trust.

        Raises:
            Refused: carries the DIMSE status; the bytes are in quarantine unless there was no room for them.
        """
        with self._handling(incoming):
            self._check_room()
            self._receive(incoming, issuers)

    def keep_aside(self, incoming: IncomingInstance, refusal: Refused) -> NoReturn:
        """Quarantine what was not asked for, or is not what it should be; raises `refusal` once it is durable."""
        with self._handling(incoming):
            self._check_room()
            self._keep_aside(incoming, None, refusal)

    def is_here(self, stored: StoredObject) -> bool:
        """Whether a known instance's bytes can be read, and are what was kept."""
        return stored.location is not None and self._spool.is_sound(stored.location)

    def draft(self, *announced: str) -> Draft:
        """Begin to take a data set in: `announced` are the UIDs of its request.

        Raises:
            OutOfResources: there is no room; also later, from the draft.
        """
        with self._remembering_refusals():
            self._check_room()
            return self._spool.draft(*announced)

    @contextmanager
    def _handling(self, incoming: IncomingInstance) -> Iterator[None]:
        """Let its data set go in the end, whatever becomes of it."""
        try:
            with self._remembering_refusals():
                yield
        finally:
            incoming.data_set.discard()

    @contextmanager
    def _remembering_refusals(self) -> Iterator[None]:
        try:
            yield
        except OutOfResources as refusal:
            self._refusal = (time.monotonic(), str(refusal))
            raise

    def _receive(self, incoming: IncomingInstance, issuers: Issuers | None) -> None:
        header = self._read(incoming)
        mismatch = judge_header(header, incoming.sop_class_uid, incoming.sop_instance_uid)
        if mismatch is not None:
            self._keep_aside(incoming, header.study_instance_uid or None, mismatch.refusal)
        if incoming.provenance.channel is Channel.REPORT:
            self._take_document(incoming, header)
            return
        default = issuers or self._issuers
        self._take_image(incoming, header.qualified(default.patient_id, default.accession))

    def refused_lately(self) -> str | None:
        """Why an instance was refused for want of resources within the last minute, if one was."""
        refusal = self._refusal
        return refusal[1] if refusal and time.monotonic() - refusal[0] < _LATELY_S else None

    def _check_room(self) -> None:
        if self._spool.free_bytes() < self._reserve_bytes:
            raise OutOfResources("disk reserve reached, try again later")
        if self._catalogue.is_behind:
            raise OutOfResources("catalogue is behind, try again")

    def _read(self, incoming: IncomingInstance) -> InstanceHeader:
        try:
            return read_header(incoming.data_set.content(), incoming.transfer_syntax_uid)
        except DamagedDataSetError as error:
            refusal = CannotUnderstand(f"damaged data set: {error}")
            return self._keep_aside(incoming, None, refusal)

    def _take_image(self, incoming: IncomingInstance, header: InstanceHeader) -> None:
        study, origin = header.study_instance_uid, incoming.provenance.origin
        said = owner_said_by(header, origin)
        with self._only_one_at_a_time(header):
            existing = self._readable(self._catalogue.find_instance(header.sop_instance_uid), incoming.data_set.digest)
            judge = partial(judge_identity, header, incoming.data_set.digest, origin, existing)
            verdict = self._claims.judged(study, said, judge)
            if isinstance(verdict, KeepAside):
                self._keep_aside(incoming, study, verdict.refusal)
            if isinstance(verdict, Known):
                return
            try:
                self._keep(incoming, header)
            finally:
                self._claims.release(study, said)

    def _readable(self, existing: StoredObject | None, digest: str) -> StoredObject | None:
        """What is known under the UID; without a place where it is the same content and cannot be read any more.

        A repeat is often the only cure for damage, so it is not thrown away for a copy that nobody has looked at.
        """
        if existing is None or existing.location is None or existing.digest != digest or self.is_here(existing):
            return existing
        if not self._catalogue.lose_place(existing.sop_instance_uid, existing.location):
            raise OutOfResources("the copy that is here is damaged and not yet catalogued, try again")
        return replace(existing, location=None)

    def _keep(self, incoming: IncomingInstance, header: InstanceHeader) -> None:
        self._associations.touched(incoming.association_id, header.study_instance_uid, incoming.provenance.received_at)
        spooled = self._spool.keep(incoming, header)
        self._checkpoint("ingest.kept")
        self._catalogue.note_instance(spooled)
        self._checkpoint("ingest.noted")

    def _take_document(self, incoming: IncomingInstance, header: InstanceHeader) -> None:
        with self._only_one_at_a_time(header):
            try:
                if incoming.data_set.size_bytes > _LARGEST_DOCUMENT_BYTES:
                    raise CannotUnderstand(f"a report document has more than {_LARGEST_DOCUMENT_BYTES} bytes")
                document = bytes(incoming.data_set.content())
                self._take_report(self._documents.read(document, incoming.transfer_syntax_uid))
            except Refused as refusal:
                self._keep_aside(incoming, header.study_instance_uid, refusal)

    def _keep_aside(self, incoming: IncomingInstance, study_instance_uid: str | None, refusal: Refused) -> NoReturn:
        known_at = self._catalogue.quarantined_at(incoming.sop_instance_uid, incoming.data_set.digest)
        if known_at is None or not self._spool.is_sound(known_at):
            aside = self._spool.quarantine(incoming, study_instance_uid, str(refusal))
            self._checkpoint("ingest.quarantined")
            self._catalogue.note_quarantined(replace(aside, replaces=known_at is not None))
        raise refusal

    def _only_one_at_a_time(self, header: InstanceHeader) -> threading.Lock:
        """The lock of everything under this SOP Instance UID."""
        return self._locks[hash(header.sop_instance_uid) % len(self._locks)]
