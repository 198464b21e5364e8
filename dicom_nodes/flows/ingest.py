"""Take an instance in: checked, durable, then answered; forwarded and settled later by others.

Returning means durable. Whatever cannot be taken is quarantined first and refused then, so no bytes are lost.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NoReturn

from dicom_nodes.encoding.header import read_header
from dicom_nodes.encoding.part10 import plain_file_meta
from dicom_nodes.encoding.walk import DamagedDataSetError
from dicom_nodes.flows.ports import Checkpoint, Draft, ReportDocuments, Spool, no_checkpoint
from dicom_nodes.flows.register import Candidate, Register
from dicom_nodes.model.errors import CannotUnderstand, DataSetMismatch, OutOfResources, Refused
from dicom_nodes.model.instance import Channel, IncomingInstance, InstanceHeader, StoredObject
from dicom_nodes.model.report import RefusedClaims, RefusedReport
from dicom_nodes.rules.acceptance import report_channel_of
from dicom_nodes.rules.ingest import KeepAside, Known, Take, judge_header

_LARGEST_DOCUMENT_BYTES = 64 << 20
"""A report is read whole; one that long is none."""
_BEGINNING_BYTES = 1 << 20


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
        register: Register,
        documents: ReportDocuments,
        issuers: Issuers,
        reserve_bytes: int,
        checkpoint: Checkpoint = no_checkpoint,
        say_refused: Callable[[str], None] = lambda _why: None,
    ) -> None:
        """`say_refused` is told why, where an instance is refused for want of resources."""
        self._spool, self._register, self._documents = spool, register, documents
        self._issuers, self._reserve_bytes = issuers, reserve_bytes
        self._checkpoint = checkpoint
        self._say_refused = say_refused

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
            self._say_refused(str(refusal))
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

    def _check_room(self) -> None:
        if self._spool.free_bytes() < self._reserve_bytes:
            raise OutOfResources("disk reserve reached, try again later")
        if self._register.is_behind:
            raise OutOfResources("catalogue is behind, try again")

    def _read(self, incoming: IncomingInstance) -> InstanceHeader:
        try:
            return read_header(incoming.data_set.content(), incoming.transfer_syntax_uid)
        except DamagedDataSetError as error:
            refusal = CannotUnderstand(f"damaged data set: {error}")
            return self._keep_aside(incoming, None, refusal)

    def _take_image(self, incoming: IncomingInstance, header: InstanceHeader) -> None:
        candidate = Candidate(header, incoming.data_set.digest, incoming.provenance, incoming.association_id)
        with self._register.judged(candidate) as judgement:
            if isinstance(judgement.verdict, KeepAside):
                self._keep_aside(incoming, header.study_instance_uid, judgement.verdict.refusal)
            if isinstance(judgement.verdict, Known):
                return
            if not isinstance(judgement.verdict, Take):
                raise TypeError(f"{type(judgement.verdict).__name__} is no verdict")
            spooled = self._spool.keep(incoming, header)
            self._checkpoint("ingest.kept")
            judgement.note(spooled)
            self._checkpoint("ingest.noted")

    def _take_document(self, incoming: IncomingInstance, header: InstanceHeader) -> None:
        try:
            if incoming.data_set.size_bytes > _LARGEST_DOCUMENT_BYTES:
                raise CannotUnderstand(f"a report document has more than {_LARGEST_DOCUMENT_BYTES} bytes")
            report = self._documents.read(bytes(incoming.data_set.content()), incoming.transfer_syntax_uid)
            self._register.take_report(header.sop_instance_uid, report)
        except OutOfResources:  # it is sent again; a report that waits for a person's look is late
            raise
        except Refused as refusal:
            self._keep_aside(incoming, header.study_instance_uid, refusal)

    def _keep_aside(self, incoming: IncomingInstance, study_instance_uid: str | None, refusal: Refused) -> NoReturn:
        """A document that came as a report waits for a person as any refused report does, and its alerts for nobody."""
        if incoming.provenance.channel is Channel.REPORT:
            self._register.keep_refused(self._refused_report(incoming, refusal))
            self._checkpoint("ingest.refused_report_kept")
        known_at = self._register.quarantined_at(incoming.sop_instance_uid, incoming.data_set.digest)
        if known_at is None or not self._spool.is_sound(known_at):
            aside = self._spool.quarantine(incoming, study_instance_uid, str(refusal))
            self._checkpoint("ingest.quarantined")
            self._register.note_quarantined(replace(aside, replaces=known_at is not None))
        raise refusal

    def _refused_report(self, incoming: IncomingInstance, refusal: Refused) -> RefusedReport:
        """Of one that is too long its beginning is enough: all of it is in quarantine."""
        meta = plain_file_meta(incoming.sop_class_uid, incoming.sop_instance_uid, incoming.transfer_syntax_uid)
        is_whole = incoming.data_set.size_bytes <= _LARGEST_DOCUMENT_BYTES
        data_set = bytes(incoming.data_set.content()[: None if is_whole else _BEGINNING_BYTES])
        claims = RefusedClaims(looked_through=False)
        if is_whole:
            claims = self._documents.claims(data_set, incoming.transfer_syntax_uid)
        if isinstance(refusal, DataSetMismatch):  # announced as another than it is: of whom it is nobody knows
            claims = replace(claims, identity=None)
        channel = report_channel_of(incoming.sop_class_uid)
        return RefusedReport(channel, f"{refusal.status:04X}", str(refusal), meta + data_set, claims)
