"""Send an alert to the trust's RIS by MLLP and wait for its application acknowledgement."""

from dicom_nodes.config import Ris, Trust
from dicom_nodes.hl7.ack import read_ack
from dicom_nodes.hl7.alert_oru import alert_control_id, build_alert_oru
from dicom_nodes.hl7.faults import Hl7Fault
from dicom_nodes.hl7.sender import MllpRisSender
from dicom_nodes.model.alert_notice import AlertNotice
from dicom_nodes.model.errors import PeerUnavailable
from dicom_nodes.model.report import Acknowledgement


class MllpAlertSender(MllpRisSender):
    """The RIS as `flows.tell_ris.AlertRis`; safe to use from several threads."""

    def __init__(self, ris: Ris, trust: Trust) -> None:
        super().__init__(ris, trust)
        self._settings, self._trust = ris, trust

    def tell(self, notice: AlertNotice) -> Acknowledgement:
        """Send the alert and return the RIS's answer, whichever of AA, AE and AR it is.

        Raises:
            PeerUnavailable: no connection, no answer in time, or none that answers this message.
            PeerRefused: it cannot be carried without loss; nothing was sent.
        """
        answer = self._exchange(build_alert_oru(notice, self._settings, self._trust.ods_code))
        try:
            acknowledgement = read_ack(answer)
        except Hl7Fault as fault:
            raise PeerUnavailable(f"the RIS gave an answer that is no acknowledgement: {fault}") from None
        if acknowledgement.control_id != alert_control_id(notice):
            raise PeerUnavailable("the RIS acknowledged another message (MSA-2 is not our control id)")
        return acknowledgement
