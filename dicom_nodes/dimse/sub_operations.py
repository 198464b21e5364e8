"""Counts the sub-operations of a C-GET or C-MOVE and words its outcome (DICOM PS3.4 C.4.2.1.4, C.4.3.1.3)."""

from collections.abc import Callable

from dicom_nodes.dimse.identifier import encode_identifier
from dicom_nodes.dimse.messages import Response, SubOperations
from dicom_nodes.dimse.services import Caller, DimseServices
from dicom_nodes.dimse.sop_classes import name_of
from dicom_nodes.model.delivery import StoreResult
from dicom_nodes.model.dimse_status import Status, is_stored


class SubOperationTally:
    """Each instance is remaining, completed, failed or stored with a warning; failed ones are named at the end."""

    def __init__(self, total: int) -> None:
        self.remaining = total
        self._completed = 0
        self._warning = 0
        self._failed: list[str] = []

    def count(self, result: StoreResult) -> None:
        """Take in one answer; no answer is a failure."""
        self.remaining -= 1
        if result.status is None or not is_stored(result.status):
            self._failed.append(result.sop_instance_uid)
        elif result.status == Status.SUCCESS:
            self._completed += 1
        else:
            self._warning += 1

    def pending(self) -> Response:
        return Response(Status.PENDING, sub_operations=self._counters())

    def cancelled(self, transfer_syntax_uid: str) -> Response:
        return self._final(Status.CANCELLED, transfer_syntax_uid)

    def outcome(self, transfer_syntax_uid: str) -> Response:
        """0000 when all were stored without complaint, A702 when none was, otherwise B000: an incomplete answer."""
        if not self._failed and not self._warning:
            status = Status.SUCCESS
        elif not self._completed and not self._warning:
            status = Status.CANNOT_PERFORM_SUB_OPERATIONS
        else:
            status = Status.SUB_OPERATIONS_INCOMPLETE
        return self._final(status, transfer_syntax_uid)

    def _final(self, status: Status, transfer_syntax_uid: str) -> Response:
        identifier = None
        if self._failed:
            values = {"FailedSOPInstanceUIDList": "\\".join(self._failed)}
            identifier = encode_identifier(None, values, transfer_syntax_uid)
        return Response(status, identifier=identifier, sub_operations=self._counters())

    def _counters(self) -> SubOperations:
        return SubOperations(self.remaining, self._completed, len(self._failed), self._warning)


class Cancel:
    """Asks the association until a C-CANCEL came in, and remembers that it did."""

    def __init__(self, message_id: int, is_cancelled: Callable[[int], bool]) -> None:
        self._message_id, self._is_cancelled = message_id, is_cancelled
        self.seen = False

    def __call__(self) -> bool:
        self.seen = self.seen or self._is_cancelled(self._message_id)
        return self.seen


def note_unusual(services: DimseServices, operation: str, caller: Caller, receiver: str, result: StoreResult) -> None:
    """Log what failed, in our own words or by the status alone: a receiver's Error Comment may quote the patient."""
    where = {
        "association": caller.association_id,
        "destination": receiver,
        "sop_instance": services.uid_hash(result.sop_instance_uid),
    }
    if result.status != Status.SUCCESS:
        why = result.comment if result.status is None else f"the destination answered {result.status:04X}"
        services.log.warning(f"{operation}.sub_operation_failed", **where, why=why)
    elif result.sent_as:
        services.log.info(f"{operation}.sub_operation_converted", **where, transfer_syntax=name_of(result.sent_as))
