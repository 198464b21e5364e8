"""Tell the trust's own RIS of an alert about a study of this trust. Taken is not answered: a person must do that."""

from typing import Protocol

from dicom_nodes import contract
from dicom_nodes.contract import OrderCompleted
from dicom_nodes.flows.ports import Catalogue, Checkpoint, OrderStore, no_checkpoint
from dicom_nodes.foundation.jobs import Job
from dicom_nodes.model.alert_notice import AlertNotice
from dicom_nodes.model.errors import PeerRefused
from dicom_nodes.model.report import AckCode, Acknowledgement
from dicom_nodes.model.study import StudyRecord


class AlertRis(Protocol):
    """Sends an alert to the RIS and waits for its application acknowledgement."""

    def tell(self, notice: AlertNotice) -> Acknowledgement:
        """Raises PeerUnavailable or PeerRefused, as `RisSender`."""


class TellRis:
    """Carries out `tell_ris` orders."""

    def __init__(
        self,
        orders: OrderStore,
        catalogue: Catalogue,
        ris: AlertRis | None,
        own_ods: str,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> None:
        self._orders, self._catalogue, self._ris = orders, catalogue, ris
        self._own_ods, self._checkpoint = own_ods, checkpoint

    def __call__(self, job: Job) -> None:
        """Send it, and complete the job when the RIS has taken it.

        Raises:
            PeerUnavailable: the RIS did not answer.
            PeerRefused: it answered no, there is none, or the study is not this trust's.
        """
        order = self._orders.order(job.key).body
        if not isinstance(order, contract.TellRis):
            raise PeerRefused(f"order {job.key} is no alert")
        if self._ris is None:
            raise PeerRefused("no RIS is set ([ris] in the trust's file), so nobody can be told")
        answer = self._ris.tell(_notice(order, self._own(order)))
        self._checkpoint("alert.ris_answered")
        if answer.code is not AckCode.AA:
            raise PeerRefused(f"the RIS answered {answer.code} to an alert")  # its words may name the patient
        self._orders.complete(job, OrderCompleted(order_id=job.key))

    def _own(self, order: contract.TellRis) -> StudyRecord:
        if order.study.origin != self._own_ods:
            raise PeerRefused(f"the alert is for {order.study.origin}, this node stands for {self._own_ods}")
        record = self._catalogue.study(order.study.study_instance_uid, with_instances=False)
        if record is None or record.origin != self._own_ods:
            raise PeerRefused("this node has no images of its own of the alert's study")
        return record


def _notice(order: contract.TellRis, record: StudyRecord) -> AlertNotice:
    held, known, now = record.header, order.study, order.present_patient
    return AlertNotice(
        alert_id=order.alert_id,
        notification_id=order.notification_id,
        report_id=order.report_id,
        code=(order.code.value, order.code.scheme, order.code.text),
        category=order.category,
        urgency=order.urgency,
        level=order.level,
        raised_at=order.raised_at,
        deadline_at=order.deadline_at,
        link=order.link,
        report_place=order.report_place,
        study_instance_uid=held.study_instance_uid,
        accession_number=held.accession_number,
        accession_issuer=held.accession_issuer or known.accession_issuer,
        patient_id=held.patient_id if now is None else now.patient_id,
        patient_id_issuer=(held.patient_id_issuer or known.patient.issuer) if now is None else now.issuer,
        nhs_number=held.nhs_number if now is None else now.nhs_number or held.nhs_number,
        birth_date=held.birth_date if now is None else now.birth_date or held.birth_date,
        patient_name=held.attributes.get("PatientName"),
        patient_sex=held.attributes.get("PatientSex"),
        has_moved=now is not None,
    )
