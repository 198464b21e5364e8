"""Return a report to the trust that made the images, by each channel that it wants.

A report goes only to its study's origin, under the identifiers of the origin's own images (HAZARDS 13). Each channel
has a job of its own, with its own attempts: one that is down or refuses holds up no other, and one that has
acknowledged is never sent to again.
"""

import threading
from collections.abc import Mapping

from dicom_nodes import contract
from dicom_nodes.flows.ports import Catalogue, Checkpoint, OrderStore, ReportSender, no_checkpoint
from dicom_nodes.foundation.addendum import whole_text
from dicom_nodes.foundation.jobs import Job
from dicom_nodes.model.errors import NothingSent, PeerRefused, PeerUnavailable
from dicom_nodes.model.instance import InstanceHeader
from dicom_nodes.model.report import ChannelAnswer, OutgoingReport, ReportAuthor, ReportSection
from dicom_nodes.model.study import StudyRecord
from dicom_nodes.rules.partner_words import may_name_patient
from dicom_nodes.rules.report_order import goes_backwards

_NOT_IMAGING = {"SR", "PR", "KO", "DOC", "REG", "SEG"}
_LONGEST_WORDS = 300
_SHOWS_THE_LAST = {"ris", "fhir"}
"""Channels that show what came last as the report; in an archive each version is a document of its own."""
_ASKED_AS = {"ris": "the RIS", "fhir": "the FHIR endpoint"}


class ReturnReport:
    """Carries out `return` orders, one channel a job; a job's key is `ORDER/CHANNEL`."""

    def __init__(
        self,
        orders: OrderStore,
        catalogue: Catalogue,
        channels: Mapping[str, ReportSender],
        own_ods: str,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> None:
        """`channels` are those of the trust's file, by the names that the router knows them by."""
        self._orders = orders
        self._catalogue = catalogue
        self._channels = dict(channels)
        self._own_ods = own_ods
        self._checkpoint = checkpoint
        self._locks = [threading.Lock() for _ in range(64)]

    def __call__(self, job: Job) -> None:
        """Send the report by the job's channel unless that has acknowledged it, and complete the job.

        Raises:
            PeerUnavailable: the channel did not answer.
            PeerRefused: it answered no or has filed a newer report, the report would not arrive as it is, or it is not
                for this trust or not of this study's patient.
        """
        order_id, _, channel = job.key.partition("/")
        report = self._report(order_id)
        with self._locks[hash((report.study_instance_uid, channel)) % len(self._locks)]:
            self._return(job, order_id, channel, report)

    def _return(self, job: Job, order_id: str, channel: str, report: OutgoingReport) -> None:
        """One report of a study after the other: no older one slips in while a newer one is on its way."""
        if channel in self._orders.returned(order_id):
            is_last = self._orders.finish_return(job)
        else:
            answer = self._sent(order_id, channel, report)
            is_last = self._orders.record_returned(
                order_id, channel, answer.code, answer.reference, tuple(map(str, answer.losses)), job
            )
            self._checkpoint(f"return.{channel}_recorded")
        if is_last:
            self._checkpoint("return.completed")

    def _sent(self, order_id: str, channel: str, report: OutgoingReport) -> ChannelAnswer:
        sender = self._channels.get(channel)
        if sender is None:
            raise PeerRefused(f"the trust's file sets no channel {channel} (reports.channels)")
        self._require_newest(report, channel)
        answer = self._answer(sender, channel, report)
        self._checkpoint(f"return.{channel}_answered")
        if not answer.accepted:
            told = _passed_on(answer.words, report)
            self._orders.record_refused(order_id, channel, answer.code, answer.words, told)
            raise PeerRefused(f"{_ASKED_AS.get(channel, channel)} answered {answer.code}: {told}")
        return answer

    def _require_newest(self, report: OutgoingReport, channel: str) -> None:
        why = goes_backwards(report.version, report.status, self._orders.filed(report.study_instance_uid, channel))
        if why is not None:
            raise PeerRefused(f"not sent to the {channel}: {why}")
        begun = self._orders.begun(report.study_instance_uid, channel)
        if begun is not None and begun > report.version:
            raise PeerUnavailable(
                f"not sent to the {channel} yet: a newer version ({begun}) may be there, and its answer is waited for"
            )

    def _answer(self, sender: ReportSender, channel: str, report: OutgoingReport) -> ChannelAnswer:
        """Send it. Where an older version must not follow, that is remembered first, and forgotten after a plain no,
        or where there was no connection, so that nothing was sent.

        The no to a repeat is not plain: it may mean that the channel has it, from a time whose answer was lost.
        """
        if channel not in _SHOWS_THE_LAST or report.version == 1:
            return sender.send(report)
        place = (report.study_instance_uid, channel, report.version)
        may_be_there = self._orders.begin_return(*place)
        try:
            answer = sender.send(report)
        except (PeerRefused, NothingSent):
            if not may_be_there:
                self._orders.forget_begun(*place)
            raise
        if not answer.accepted and not may_be_there:
            self._orders.forget_begun(*place)
        return answer

    def _report(self, order_id: str) -> OutgoingReport:
        order = self._orders.order(order_id).body
        if not isinstance(order, contract.ReturnReport):
            raise PeerRefused(f"order {order_id} is no report to return")
        if order.study.origin != self._own_ods:
            raise PeerRefused(f"the report is for {order.study.origin}, this node stands for {self._own_ods}")
        record = self._catalogue.study(order.study.study_instance_uid, with_instances=False)
        if record is None:
            raise PeerRefused("this node has no images of the report's study")
        if record.origin != self._own_ods:
            raise PeerRefused(f"the images of the report's study are {record.origin}'s, not {self._own_ods}'s")
        if differing := _differences(order.study, record.header):
            raise PeerRefused(f"the report's {differing} differs from the images'; a person must look")
        return _outgoing(order, record)


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
    """The report under the identifiers of the origin's images; issuers that they leave out come from the order.

    Where the trust's ADT changed who the patient is, the order says so, and the report goes out under that.
    """
    held = record.header
    code, now = order.exam_code, order.present_patient
    issuer = held.patient_id_issuer or order.study.patient.issuer
    imaged = (held.patient_id, issuer, held.nhs_number, held.birth_date)
    present = imaged
    if now is not None:
        present = (now.patient_id, now.issuer, now.nhs_number or held.nhs_number, now.birth_date or held.birth_date)
    return OutgoingReport(
        report_id=order.report_id,
        version=order.version,
        status="C" if order.addendum else order.status,
        text=_whole_text(order),
        author_registration=order.author.registration,
        author_name=order.author.name,
        authored_at=order.authored_at,
        verified_at=order.verified_at,
        study_instance_uid=held.study_instance_uid,
        accession_number=held.accession_number,
        accession_issuer=held.accession_issuer or order.study.accession_issuer,
        patient_id=present[0],
        patient_id_issuer=present[1],
        nhs_number=present[2],
        birth_date=present[3],
        patient_name=held.attributes.get("PatientName"),
        patient_sex=held.attributes.get("PatientSex"),
        study_time=held.study_time,
        study_description=held.attributes.get("StudyDescription"),
        exam_code=(code.value, code.scheme, code.meaning) if code else held.exam_code,
        modality=next((modality for modality in record.modalities if modality not in _NOT_IMAGING), None),
        sections=() if order.addendum else tuple(ReportSection(one.title, one.text) for one in order.sections),
        authors=tuple(ReportAuthor(one.registration, one.name, one.role) for one in order.authors),
        addendum=order.addendum,
        addition=order.text if order.addendum else None,
        has_moved=present != imaged,
    )


def _whole_text(order: contract.ReturnReport) -> str:
    if not order.addendum:
        return order.text
    if order.standing_text is None:
        raise PeerRefused("an addendum came without the report that it is added to; a person must look")
    author = order.author
    return whole_text(order.standing_text, order.text, author.name, author.registration, order.authored_at)


def _passed_on(words: str, report: OutgoingReport) -> str:
    """A partner's words for whoever resolves the item, who may sit elsewhere; all of them or none."""
    if may_name_patient(words, report):
        return "its words may name the patient and are kept at this node: 'readacross parked' shows them"
    return words[:_LONGEST_WORDS] or "gives no reason"
