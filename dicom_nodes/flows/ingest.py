"""Take an instance in: checked, durable, then answered; forwarded and settled later by others.

Returning means durable. Whatever cannot be taken is quarantined first and refused then, so no bytes are lost.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from dicom_nodes.encoding.header import read_header
from dicom_nodes.encoding.walk import DamagedDataSetError
from dicom_nodes.flows.associations import OpenAssociations
from dicom_nodes.flows.ports import Catalogue, Checkpoint, Draft, ReportDocuments, Spool, no_checkpoint
from dicom_nodes.flows.study_claims import StudyClaims
from dicom_nodes.model.errors import CannotUnderstand, OutOfResources, Refused
from dicom_nodes.model.instance import Channel, IncomingInstance, InstanceHeader
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
        try:
            self._receive(incoming, issuers)
        except OutOfResources as refusal:
            self._refusal = (time.monotonic(), str(refusal))
            raise
        finally:
            incoming.data_set.discard()

    def draft(self, *announced: str) -> Draft:
        """Begin to take a data set in: `announced` are the UIDs of its request.

        Raises:
            OutOfResources: there is no room; also later, from the draft.
        """
        try:
            self._check_room(0)
            return self._spool.draft(*announced)
        except OutOfResources as refusal:
            self._refusal = (time.monotonic(), str(refusal))
            raise

    def _receive(self, incoming: IncomingInstance, issuers: Issuers | None) -> None:
        self._check_room(incoming.data_set.size_bytes)
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

    def _check_room(self, size_bytes: int) -> None:
        if self._spool.free_bytes() - size_bytes < self._reserve_bytes:
            raise OutOfResources("disk reserve reached, try again later")

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
            existing = self._catalogue.find_instance(header.sop_instance_uid)
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
        if not self._catalogue.is_quarantined(incoming.sop_instance_uid, incoming.data_set.digest):
            aside = self._spool.quarantine(incoming, study_instance_uid, str(refusal))
            self._checkpoint("ingest.quarantined")
            self._catalogue.note_quarantined(aside)
        raise refusal

    def _only_one_at_a_time(self, header: InstanceHeader) -> threading.Lock:
        """The lock of everything under this SOP Instance UID."""
        return self._locks[hash(header.sop_instance_uid) % len(self._locks)]
