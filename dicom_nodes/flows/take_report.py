"""Take a report in: keep its original and tell the router, before anybody is told that it was accepted."""

import hashlib
from collections.abc import Sequence
from uuid import UUID, uuid5

from dicom_nodes.flows.ports import Checkpoint, ReportStore, no_checkpoint
from dicom_nodes.model.errors import CannotUnderstand
from dicom_nodes.model.report import IncomingReport, RefusedReport, ReportChannel

_DOCUMENTS = {ReportChannel.DICOM_SR, ReportChannel.ENCAPSULATED_PDF}
_NAMESPACE = UUID("7a0f4b52-5f0d-4f44-9c53-2b1f6c7f4f10")


def report_id_of(report: IncomingReport) -> str:
    """The same original by the same channel always has the same id, so a repeated sending is one report.

    Reports of one original are told by their part.
    """
    digest = hashlib.sha256(report.original).hexdigest()
    part = "" if report.part == 1 else f"\n{report.part}"
    return str(uuid5(_NAMESPACE, f"{report.channel}\n{report.original_reference}\n{digest}{part}"))


def refusal_id_of(refused: RefusedReport) -> str:
    """The same bytes refused again are one refusal."""
    digest = hashlib.sha256(refused.original).hexdigest()
    return str(uuid5(_NAMESPACE, f"refused\n{refused.channel}\n{digest}"))


class TakeReport:
    """Keeps reports; a return means durable.

    A SOP Instance UID means one document for ever (DICOM PS3.5 section 9), so other content under it is refused. A
    message control id (MSH-10) does not: senders start their numbers again, so an ORU^R01 with a known control id and
    other content is another message. Both go on, each with its own report id, and the router decides.
    """

    def __init__(self, store: ReportStore, checkpoint: Checkpoint = no_checkpoint) -> None:
        self._store = store
        self._checkpoint = checkpoint

    def __call__(self, report: IncomingReport) -> str:
        """Keep the report and return its id; whatever the store raises passes through, and nothing was accepted.

        Raises:
            CannotUnderstand: a document with the same SOP Instance UID and other content was taken before. The caller
                takes documents of one UID one after the other.
        """
        report_id = report_id_of(report)
        if report.channel in _DOCUMENTS:
            self._require_same_content(report)
        self._store.take(report_id, report)
        self._checkpoint("report.taken")
        return report_id

    def all(self, reports: Sequence[IncomingReport]) -> tuple[str, ...]:
        """Keep all reports of one message, or none; returns their ids."""
        ids = tuple(report_id_of(report) for report in reports)
        self._store.take_all(tuple(zip(ids, reports, strict=True)))
        self._checkpoint("report.taken")
        return ids

    def keep_refused(self, refused: RefusedReport) -> str:
        """Keep what could not be read, for a person; returns the refusal's id."""
        refusal_id = refusal_id_of(refused)
        self._store.refuse(refusal_id, refused)
        return refusal_id

    def _require_same_content(self, document: IncomingReport) -> None:
        digest = hashlib.sha256(document.original).hexdigest()
        if self._store.digests(document.channel, document.original_reference) - {digest}:
            raise CannotUnderstand("same SOP Instance UID is here with other content")
