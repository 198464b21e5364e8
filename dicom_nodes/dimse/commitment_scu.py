"""Asks an archive for storage commitment, and reports our own commitments to peers (DICOM PS3.4 J.3.2, J.3.3)."""

import time
from collections.abc import Callable, Sequence

from dicom_nodes.dimse.association import NoResponse, OpenAssociation, Proposal
from dicom_nodes.dimse.commitment_scp import read_report, report_of
from dicom_nodes.dimse.message_codec import UnexpectedMessageError, request_of, response_message
from dicom_nodes.dimse.messages import ActionRequest, EventReportRequest, PresentationContext, Response
from dicom_nodes.dimse.nested_data_set import encode_attributes
from dicom_nodes.dimse.requester import AssociationRequester, OpenedAssociation, Timeouts
from dicom_nodes.dimse.sop_classes import STORAGE_COMMITMENT_PUSH, STORAGE_COMMITMENT_PUSH_INSTANCE
from dicom_nodes.model.attributes import Attributes
from dicom_nodes.model.commitment import CommitmentResult, InstanceReference
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.model.errors import OperationRefused, PeerFailed, PeerRefused, PeerUnavailable
from dicom_nodes.upper_layer.dimse_provider import CommandReceived, DimseEvent
from dicom_nodes.upper_layer.pdu_decoder import PDataFragment

TRANSFER_SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
_LISTEN_S = 1.0
"""How long the archive has for a report on the association of our question."""
_LOOK_EVERY_S = 0.02
_LARGEST_REPORT = 8 << 20
_PASSING = {0x0110, 0x0210, 0x0213}
"""Processing failure, duplicate invocation, resource limitation (DICOM PS3.7 annex C): the same may succeed later."""


class DicomCommitmentReporter:
    """Implements `CommitmentReporter`: the association is ours, the role is the SCP's."""

    def __init__(
        self, own_ae_title: str, *, timeouts: Timeouts | None = None, open_association: OpenAssociation | None = None
    ) -> None:
        """`open_association` opens them, by TLS where that is due."""
        self._own_ae_title = own_ae_title
        self._open: OpenAssociation = open_association or AssociationRequester(own_ae_title, timeouts)

    def report(self, to: ApplicationEntity, result: CommitmentResult) -> None:
        association = self._open(to, [Proposal(STORAGE_COMMITMENT_PUSH, TRANSFER_SYNTAXES, as_scp=True)])
        try:
            response = association.request(report_of(result, association.contexts[0], 1, self._own_ae_title))
        except NoResponse as loss:
            raise PeerUnavailable(str(loss)) from None
        finally:
            association.release()
        require_success(to, "the commitment report", response)


class DicomCommitmentScu:
    """Implements `CommitmentScu`."""

    def __init__(self, requester: AssociationRequester, *, listen_s: float = _LISTEN_S) -> None:
        """`requester` opens associations, by TLS where that is due."""
        self._open = requester
        self._listen_s = listen_s

    def ask(
        self,
        archive: ApplicationEntity,
        transaction_uid: str,
        instances: Sequence[InstanceReference],
        take: Callable[[CommitmentResult], bool],
    ) -> None:
        association = self._open(archive, [Proposal(STORAGE_COMMITMENT_PUSH, TRANSFER_SYNTAXES)])
        try:
            context = association.contexts[0]
            response = association.request(_question(context, transaction_uid, instances))
            require_success(archive, "the request for storage commitment", response)
            _listen(association, context, self._listen_s, take)
        except NoResponse as loss:
            raise PeerUnavailable(str(loss)) from None
        finally:
            association.release()


def require_success(to: ApplicationEntity, what: str, response: Response) -> None:
    """Let success pass.

    Raises:
        PeerUnavailable, PeerRefused: it answered something else; which status is said, its comment is not.
    """
    if response.status != Status.SUCCESS:
        error: type[PeerFailed] = PeerUnavailable if response.status in _PASSING else PeerRefused
        raise error(f"{to.ae_title} answered {response.status:04X} to {what}")


def _question(
    context: PresentationContext, transaction_uid: str, instances: Sequence[InstanceReference]
) -> ActionRequest:
    items: list[Attributes] = [
        {"ReferencedSOPClassUID": item.sop_class_uid, "ReferencedSOPInstanceUID": item.sop_instance_uid}
        for item in instances
    ]
    attributes: Attributes = {"TransactionUID": transaction_uid, "ReferencedSOPSequence": items}
    data_set = encode_attributes(attributes, context.transfer_syntax)
    return ActionRequest(context, 1, STORAGE_COMMITMENT_PUSH, STORAGE_COMMITMENT_PUSH_INSTANCE, 1, data_set)


def _listen(
    association: OpenedAssociation,
    context: PresentationContext,
    seconds: float,
    take: Callable[[CommitmentResult], bool],
) -> None:
    """A report that comes by itself on this association; an archive that says nothing, or ends it, reports later."""
    until = time.monotonic() + seconds
    event = _next(association, until)
    if not isinstance(event, CommandReceived) or not event.command.has_data_set:
        return
    data, is_last = bytearray(), False
    while not is_last:
        fragment = _next(association, until)
        if not isinstance(fragment, PDataFragment) or len(data) > _LARGEST_REPORT:
            return
        data += fragment.data
        is_last = fragment.is_last
    try:
        report = request_of(event.command, context, bytes(data))
    except UnexpectedMessageError:
        return
    if isinstance(report, EventReportRequest):
        association.link.send(context.id, *response_message(report, _answer(report, take)))


def _answer(report: EventReportRequest, take: Callable[[CommitmentResult], bool]) -> Response:
    try:
        if take(read_report(report)):
            return Response(Status.SUCCESS)
    except OperationRefused as refusal:
        return Response(refusal.status, str(refusal))
    return Response(Status.INVALID_ARGUMENT_VALUE, "the Transaction UID is not one of ours")


def _next(association: OpenedAssociation, until: float) -> DimseEvent | None:
    while (event := association.link.poll()) is None and not association.link.is_closed:
        if time.monotonic() >= until:
            return None
        time.sleep(_LOOK_EVERY_S)
    return event
