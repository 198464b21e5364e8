"""The channels of a report's way home as senders of one kind: RIS, and the archive by structured report or by pages."""

from collections.abc import Callable

from dicom_nodes.flows.ports import Archive, RisSender
from dicom_nodes.model.delivery import OutgoingInstance
from dicom_nodes.model.dimse_status import Status, is_stored
from dicom_nodes.model.errors import PeerRefused, PeerUnavailable
from dicom_nodes.model.loss import Loss
from dicom_nodes.model.report import AckCode, ChannelAnswer, OutgoingReport

_RETRYABLE_STORE = range(Status.OUT_OF_RESOURCES, Status.OUT_OF_RESOURCES + 0x100)
WriteDocument = Callable[[OutgoingReport], tuple[OutgoingInstance, tuple[Loss, ...]]]


class RisChannel:
    """Implements `ReportSender` by the RIS's application acknowledgement."""

    def __init__(self, ris: RisSender | None) -> None:
        self._ris = ris

    def send(self, report: OutgoingReport) -> ChannelAnswer:
        if self._ris is None:
            raise PeerRefused("no RIS is set ([ris] in the trust's file), so nobody can acknowledge the report")
        answer = self._ris.send(report)
        accepted = answer.code is AckCode.AA
        return ChannelAnswer(accepted, answer.code.value, answer.control_id, answer.words, answer.losses)


class ArchiveChannel:
    """Implements `ReportSender` by the archive's storage of a document. Its Error Comments are passed on by none."""

    def __init__(self, archive: Archive, write: WriteDocument) -> None:
        self._archive, self._write = archive, write

    def send(self, report: OutgoingReport) -> ChannelAnswer:
        document, losses = self._write(report)
        status, comment = None, "no answer"
        for result in self._archive.store([document]):
            if result.sop_instance_uid == document.sop_instance_uid:
                status, comment = result.status, result.comment
        why = f": {comment}" if comment else ""
        if status is None:
            raise PeerUnavailable(f"{self._archive.name} did not acknowledge the report document{why}")
        if not is_stored(status):
            kind = PeerUnavailable if status in _RETRYABLE_STORE else PeerRefused
            raise kind(f"{self._archive.name} answered {status:04X} to the report document{why}")
        return ChannelAnswer(True, f"{status:04X}", document.sop_instance_uid, losses=losses)
