"""Write an alert as ORU^R01 for the origin's RIS (HL7 v2.5.1 ch. 7.3.1), so that it is not taken for a report.

OBR-3 is the alert's own id, OBR-4 says `ALERT^Critical results alert^99READACROSS`, and there is no report text: a RIS
routes the message by OBR-4 to whoever asked for the examination (ADR 118). Which message a RIS wants for this is not
standardised in UK radiology; this form is ours.
"""

import base64
import hashlib

from dicom_nodes.config import Ris
from dicom_nodes.hl7.charset import codec_of, kinds_not_in
from dicom_nodes.hl7.escapes import escape
from dicom_nodes.hl7.outgoing_segments import accession, line, msh, pid
from dicom_nodes.hl7.timestamps import write_moment
from dicom_nodes.model.alert_notice import AlertNotice
from dicom_nodes.model.errors import PeerRefused

ALERT_SERVICE = "ALERT^Critical results alert^99READACROSS"


def alert_control_id(notice: AlertNotice) -> str:
    """MSH-10: the same for every sending of this notification, so the RIS can tell a repeat.

    Under another number than before it is no repeat, which a RIS may throw away.
    """
    patient = (notice.patient_id, notice.patient_id_issuer, notice.nhs_number, notice.birth_date)
    moved_to = "".join(f"\n{value or ''}" for value in patient) if notice.has_moved else ""
    digest = hashlib.sha256(f"alert\n{notice.notification_id}{moved_to}".encode()).digest()
    return base64.b32encode(digest).decode("ascii")[:20]


def build_alert_oru(notice: AlertNotice, ris: Ris, ods_code: str) -> bytes:
    """Build the message, without its MLLP frame.

    Raises:
        PeerRefused: the RIS's character set cannot carry it; nothing was sent.
    """
    words = escape(_words(notice, codec_of(ris.charset)), line_breaks=True)
    segments = [
        msh(alert_control_id(notice), notice.raised_at, ris, ods_code),
        pid(notice),
        line("ORC", {1: "RE", 3: accession(notice)}),
        _obr(notice),
        line("OBX", {1: "1", 2: "CE", 3: "CODE^Alert code^99READACROSS", 5: _code(notice), 8: "AA", 11: "F"}),
        line("OBX", {1: "2", 2: "ST", 3: "URGENCY^Urgency^99READACROSS", 5: escape(notice.urgency), 11: "F"}),
        line("OBX", {1: "3", 2: "TS", 3: "DEADLINE^Answer by^99READACROSS", 5: _by(notice), 11: "F"}),
        line("OBX", {1: "4", 2: "FT", 3: ALERT_SERVICE, 5: words, 11: "F"}),
    ]
    text = "".join(segment + "\r" for segment in segments)
    if missing := kinds_not_in(text, ris.charset):
        raise PeerRefused(f"the RIS's character set {ris.charset} has no {missing}; nothing was sent")
    return text.encode(codec_of(ris.charset))


def _words(notice: AlertNotice, codec: str) -> str:
    """A letter of a reader's name that the RIS has not must keep no alert back."""
    answer = f"Acknowledge at {notice.link}" if notice.link else "Acknowledge by telephone to the reporting centre"
    place = notice.report_place or "It may not have reached this system: if it is not here, ring the reporting centre."
    place = place.encode(codec, "replace").decode(codec)
    return (
        f"A report of this study needs action: {notice.category}. {place}\n{answer}\n"
        "Until a named person has acknowledged, others are told."
    )


def _obr(notice: AlertNotice) -> str:
    raised = write_moment(notice.raised_at)
    return line("OBR", {1: "1", 3: escape(notice.alert_id), 4: ALERT_SERVICE, 7: raised, 22: raised, 25: "F"})


def _code(notice: AlertNotice) -> str:
    value, scheme, text = notice.code
    return "^".join(escape(part) for part in (value, text or notice.category, scheme))


def _by(notice: AlertNotice) -> str:
    return write_moment(notice.deadline_at)
