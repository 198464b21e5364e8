"""Return a report to the trust that made the images: to its RIS, which acknowledges it, and to its archive.

A report goes only to its study's origin, under the identifiers of the origin's own images (HAZARDS 13). Each channel
is acknowledged for itself and never sent again once it was; one channel's failure does not hold up the other.
"""

import threading
from collections.abc import Callable

from dicom_nodes import contract
from dicom_nodes.contract import OrderCompleted
from dicom_nodes.flows.ports import (
    Archive,
    Catalogue,
    Checkpoint,
    OrderStore,
    ReportDocuments,
    RisSender,
    no_checkpoint,
)
from dicom_nodes.foundation.jobs import Job
from dicom_nodes.model.dimse_status import Status, is_stored
from dicom_nodes.model.errors import PeerFailed, PeerRefused, PeerUnavailable
from dicom_nodes.model.instance import InstanceHeader
from dicom_nodes.model.report import AckCode, OutgoingReport
from dicom_nodes.model.study import StudyRecord
from dicom_nodes.rules.partner_words import may_name_patient
from dicom_nodes.rules.report_order import goes_backwards

_NOT_IMAGING = {"SR", "PR", "KO", "DOC", "REG", "SEG"}
_LONGEST_WORDS = 300
_RETRYABLE_STORE = range(Status.OUT_OF_RESOURCES, Status.OUT_OF_RESOURCES + 0x100)


class ReturnReport:
    """Carries out `return` orders."""

    def __init__(
        self,
        orders: OrderStore,
        catalogue: Catalogue,
        ris: RisSender | None,
        archive: Archive,
        documents: ReportDocuments,
        own_ods: str,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> None:
        self._orders = orders
        self._catalogue = catalogue
        self._ris = ris
        self._archive = archive
        self._documents = documents
        self._own_ods = own_ods
        self._checkpoint = checkpoint
        self._locks = [threading.Lock() for _ in range(64)]

    def __call__(self, job: Job) -> None:
        """Send what is not yet acknowledged, and complete the job when both channels are.

        Raises:
            PeerUnavailable: a channel did not answer; what the other acknowledged stands.
            PeerRefused: a channel answered no or has filed a newer report, or the report is not for this trust or not
                of this study's patient.
        """
        report = self._report(job.key)
        with self._locks[hash(report.study_instance_uid) % len(self._locks)]:
            self._return(job, report)

    def _return(self, job: Job, report: OutgoingReport) -> None:
        """One report of a study after the other: no older one slips in while a newer one is on its way."""
        done = self._orders.returned(job.key)
        failures: list[PeerFailed] = []
        channels: dict[str, Callable[[str, OutgoingReport], None]] = {"ris": self._to_ris, "archive": self._to_archive}
        wanted = self._wanted(job.key) or channels
        for channel, send in channels.items():
            if channel in wanted and channel not in done:
                try:
                    self._require_newest(report, channel)
                    send(job.key, report)
                except PeerFailed as failure:
                    failures.append(failure)
        if failures:
            raise min(failures, key=lambda failure: failure.retryable)
        self._orders.complete(job, OrderCompleted(order_id=job.key))
        self._checkpoint("return.completed")

    def _wanted(self, order_id: str) -> frozenset[str]:
        """The channels that the order names; empty: all."""
        order = self._orders.order(order_id).body
        return frozenset(order.channels) if isinstance(order, contract.ReturnReport) else frozenset()

    def _require_newest(self, report: OutgoingReport, channel: str) -> None:
        why = goes_backwards(report.version, report.status, self._orders.filed(report.study_instance_uid, channel))
        if why is not None:
            raise PeerRefused(f"not sent to the {channel}: {why}")

    def _report(self, order_id: str) -> OutgoingReport:
        order = self._orders.order(order_id).body
        if not isinstance(order, contract.ReturnReport):
            raise PeerRefused(f"order {order_id} is no report to return")
        if order.study.origin != self._own_ods:
            raise PeerRefused(f"the report is for {order.study.origin}, this node stands for {self._own_ods}")
        record = self._catalogue.study(order.study.study_instance_uid)
        if record is None:
            raise PeerRefused("this node has no images of the report's study")
        if record.origin != self._own_ods:
            raise PeerRefused(f"the images of the report's study are {record.origin}'s, not {self._own_ods}'s")
        if differing := _differences(order.study, record.header):
            raise PeerRefused(f"the report's {differing} differs from the images'; a person must look")
        return _outgoing(order, record)

    def _to_ris(self, order_id: str, report: OutgoingReport) -> None:
        if self._ris is None:
            raise PeerRefused("no RIS is set ([ris] in the trust's file), so nobody can acknowledge the report")
        answer = self._ris.send(report)
        self._checkpoint("return.ris_answered")
        if answer.code is not AckCode.AA:
            self._orders.record_refused(order_id, "ris", answer.code, answer.words)
            raise PeerRefused(f"the RIS answered {answer.code}: {_passed_on(answer.words, report)}")
        self._orders.record_returned(order_id, "ris", answer.code, answer.control_id)
        self._checkpoint("return.ris_recorded")

    def _to_archive(self, order_id: str, report: OutgoingReport) -> None:
        document = self._documents.write(report)
        status, comment = None, "no answer"
        for result in self._archive.store([document]):
            if result.sop_instance_uid == document.sop_instance_uid:
                status, comment = result.status, result.comment
        self._checkpoint("return.archive_answered")
        why = f": {comment}" if comment else ""
        if status is None:
            raise PeerUnavailable(f"{self._archive.name} did not acknowledge the report document{why}")
        if not is_stored(status):
            kind = PeerUnavailable if status in _RETRYABLE_STORE else PeerRefused
            raise kind(f"{self._archive.name} answered {status:04X} to the report document{why}")
        self._orders.record_returned(order_id, "archive", f"{status:04X}", document.sop_instance_uid)
        self._checkpoint("return.archive_recorded")


def _differences(ordered: contract.StudyIdentity, held: InstanceHeader) -> str:
    """Which identifiers of the patient both sides state and state differently, in words."""
    patient = ordered.patient
    pairs = {
        "patient id": (patient.patient_id, held.patient_id),
        "patient id issuer": (patient.issuer, held.patient_id_issuer),
        "NHS number": (patient.nhs_number, held.nhs_number),
        "birth date": (patient.birth_date, held.birth_date),
    }
    return ", ".join(name for name, (one, other) in pairs.items() if one and other and one != other)


def _outgoing(order: contract.ReturnReport, record: StudyRecord) -> OutgoingReport:
    """The report under the identifiers of the origin's images; issuers that they leave out come from the order."""
    held = record.header
    code = order.exam_code
    return OutgoingReport(
        report_id=order.report_id,
        version=order.version,
        status=order.status,
        text=order.text,
        author_registration=order.author.registration,
        author_name=order.author.name,
        authored_at=order.authored_at,
        verified_at=order.verified_at,
        study_instance_uid=held.study_instance_uid,
        accession_number=held.accession_number,
        accession_issuer=held.accession_issuer or order.study.accession_issuer,
        patient_id=held.patient_id,
        patient_id_issuer=held.patient_id_issuer or order.study.patient.issuer,
        nhs_number=held.nhs_number,
        birth_date=held.birth_date,
        patient_name=held.attributes.get("PatientName"),
        patient_sex=held.attributes.get("PatientSex"),
        study_time=held.study_time,
        study_description=held.attributes.get("StudyDescription"),
        exam_code=(code.value, code.scheme, code.meaning) if code else held.exam_code,
        modality=next((modality for modality in record.modalities if modality not in _NOT_IMAGING), None),
    )


def _passed_on(words: str, report: OutgoingReport) -> str:
    """The RIS's words for whoever resolves the item, who may sit elsewhere; all of them or none."""
    if may_name_patient(words, report):
        return "its words may name the patient and are kept at this node: 'readacross parked' shows them"
    return words[:_LONGEST_WORDS] or "gives no reason"
