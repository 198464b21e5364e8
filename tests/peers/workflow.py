"""pynetdicom as modality and as archive of the workflow services: commitment, IAN, MPPS."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (
    CTImageStorage,
    InstanceAvailabilityNotification,
    ModalityPerformedProcedureStep,
    MRImageStorage,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from tests.peers.processes import wait_until

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
Reference = tuple[str, str]
"""(SOP Class UID, SOP Instance UID)."""


@dataclass
class Received:
    """A notification or operation that came in."""

    sop_instance_uid: str
    type_id: int
    attributes: Dataset
    same_association: bool = False


@dataclass
class WorkflowPeer:
    """Listens for N-EVENT-REPORT, N-ACTION and N-CREATE, and asks on associations of its own."""

    ae_title: str
    port: int = 0
    answer: int = 0x0000
    reports: list[Received] = field(default_factory=list)
    actions: list[Received] = field(default_factory=list)
    notifications: list[Received] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def report(self, number: int = 0) -> Received:
        """Wait for a report on a commitment."""
        wait_until(lambda: len(self.reports) > number, "a commitment report")
        return self.reports[number]

    def _take(self, into: list[Received], uid: str, type_id: int, attributes: Dataset, same: bool) -> int:
        with self.lock:
            into.append(Received(uid, type_id, attributes, same))
            return self.answer

    def take_report(self, event: evt.Event) -> tuple[int, None]:
        request = event.request
        same = event.assoc.is_requestor
        uid = str(request.AffectedSOPInstanceUID)
        return self._take(self.reports, uid, request.EventTypeID, event.event_information, same), None

    def take_action(self, event: evt.Event) -> tuple[int, None]:
        request = event.request
        uid = str(request.RequestedSOPInstanceUID)
        return self._take(self.actions, uid, request.ActionTypeID, event.action_information, False), None

    def take_notification(self, event: evt.Event) -> tuple[int, Dataset | None]:
        uid = str(event.request.AffectedSOPInstanceUID)
        return self._take(self.notifications, uid, 0, event.attribute_list, False), None

    def take_instance(self, event: evt.Event) -> int:
        with self.lock:
            self.stored.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    @contextmanager
    def association(self, called: str, port: int, sop_class: str) -> Iterator[Association]:
        """An association for one SOP class; a report that comes on it is taken."""
        ae = AE(self.ae_title)
        ae.add_requested_context(sop_class, SYNTAXES)
        handlers = [(evt.EVT_N_EVENT_REPORT, self.take_report)]
        association = ae.associate("127.0.0.1", port, ae_title=called, evt_handlers=handlers)
        assert association.is_established
        try:
            yield association
        finally:
            association.release()

    def ask_commitment(
        self, called: str, port: int, instances: Sequence[Reference], *, waits: bool = False, action: int = 1
    ) -> tuple[int, str]:
        """N-ACTION; returns (status, transaction UID). With `waits` the association stays open for the report."""
        uid = generate_uid()
        with self.association(called, port, StorageCommitmentPushModel) as association:
            status, _ = association.send_n_action(
                commitment_question(uid, instances),
                action,
                StorageCommitmentPushModel,
                StorageCommitmentPushModelInstance,
            )
            if waits and status.Status == 0:
                self.report()
        return status.Status, uid

    def report_commitment(
        self, called: str, port: int, transaction_uid: str, committed: Sequence[Reference], failed: Sequence[Reference]
    ) -> int:
        """N-EVENT-REPORT as an archive sends it: on its own association, in the SCP's role."""
        ae = AE(self.ae_title)
        ae.add_requested_context(StorageCommitmentPushModel, SYNTAXES)
        role = build_role(StorageCommitmentPushModel, scp_role=True)
        association = ae.associate("127.0.0.1", port, ae_title=called, ext_neg=[role])
        assert association.is_established
        attributes = commitment_question(transaction_uid, committed)
        if failed:
            attributes.FailedSOPSequence = [_reference(pair, FailureReason=0x0112) for pair in failed]
        try:
            status, _ = association.send_n_event_report(
                attributes, 2 if failed else 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
            )
            return int(status.Status)
        finally:
            association.release()

    def create(self, called: str, port: int, sop_class: str, attributes: Dataset, uid: str | None = None) -> Dataset:
        """N-CREATE; returns the status elements."""
        with self.association(called, port, sop_class) as association:
            status, _ = association.send_n_create(attributes, sop_class, uid or generate_uid())
            return status

    def set_step(self, called: str, port: int, uid: str, attributes: Dataset) -> Dataset:
        """N-SET of a performed procedure step; returns the status elements."""
        with self.association(called, port, ModalityPerformedProcedureStep) as association:
            status, _ = association.send_n_set(attributes, ModalityPerformedProcedureStep, uid)
            return status


@contextmanager
def running_peer(ae_title: str, answer: int = 0x0000) -> Iterator[WorkflowPeer]:
    """Run a listening peer."""
    peer = WorkflowPeer(ae_title, answer=answer)
    ae = AE(ae_title)
    ae.add_supported_context(StorageCommitmentPushModel, SYNTAXES, scu_role=True, scp_role=True)
    ae.add_supported_context(InstanceAvailabilityNotification, SYNTAXES)
    for sop_class in (CTImageStorage, MRImageStorage):
        ae.add_supported_context(sop_class, SYNTAXES)
    handlers = [
        (evt.EVT_N_EVENT_REPORT, peer.take_report),
        (evt.EVT_N_ACTION, peer.take_action),
        (evt.EVT_N_CREATE, peer.take_notification),
        (evt.EVT_C_STORE, peer.take_instance),
    ]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    peer.port = server.server_address[1]
    try:
        yield peer
    finally:
        server.shutdown()


def commitment_question(transaction_uid: str, instances: Sequence[Reference]) -> Dataset:
    """What an N-ACTION of storage commitment carries."""
    data_set = Dataset()
    data_set.TransactionUID = transaction_uid
    data_set.ReferencedSOPSequence = [_reference(pair) for pair in instances]
    return data_set


def availability(study_instance_uid: str, series_instance_uid: str, instances: Sequence[Reference]) -> Dataset:
    """What an Instance Availability Notification carries."""
    data_set, series = Dataset(), Dataset()
    series.SeriesInstanceUID = series_instance_uid
    series.ReferencedSOPSequence = [
        _reference(pair, InstanceAvailability="ONLINE", RetrieveAETitle="PACS") for pair in instances
    ]
    data_set.ReferencedPerformedProcedureStepSequence = []
    data_set.StudyInstanceUID = study_instance_uid
    data_set.ReferencedSeriesSequence = [series]
    return data_set


def step_begins(study_instance_uid: str, step_id: str = "") -> Dataset:
    """What N-CREATE of a performed procedure step carries."""
    data_set, scheduled = Dataset(), Dataset()
    scheduled.StudyInstanceUID = study_instance_uid
    scheduled.ReferencedStudySequence = []
    scheduled.AccessionNumber = ""
    scheduled.ScheduledProcedureStepID = step_id
    data_set.ScheduledStepAttributesSequence = [scheduled]
    data_set.PatientName, data_set.PatientID = "Test^Siân", "T1"
    data_set.SpecificCharacterSet = "ISO_IR 192"
    data_set.PerformedProcedureStepID = "PPS1"
    data_set.PerformedStationAETitle = "CT1"
    data_set.PerformedProcedureStepStartDate, data_set.PerformedProcedureStepStartTime = "20261127", "101500"
    data_set.PerformedProcedureStepEndDate, data_set.PerformedProcedureStepEndTime = "", ""
    data_set.PerformedProcedureStepStatus = "IN PROGRESS"
    data_set.Modality = "CT"
    data_set.PerformedSeriesSequence = []
    return data_set


def step_ends(series_instance_uid: str, instances: Sequence[Reference], state: str = "COMPLETED") -> Dataset:
    """What the last N-SET of a performed procedure step carries."""
    data_set, series = Dataset(), Dataset()
    series.SeriesInstanceUID = series_instance_uid
    series.ReferencedImageSequence = [_reference(pair) for pair in instances]
    data_set.PerformedProcedureStepStatus = state
    data_set.PerformedProcedureStepEndDate, data_set.PerformedProcedureStepEndTime = "20261127", "103000"
    data_set.PerformedSeriesSequence = [series]
    return data_set


def _reference(pair: Reference, **more: object) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = pair
    for keyword, value in more.items():
        setattr(item, keyword, value)
    return item
