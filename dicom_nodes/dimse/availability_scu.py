"""Tells a peer which instances are available here (Instance Availability Notification, DICOM PS3.4 R.3.2)."""

from collections.abc import Mapping, Sequence

from dicom_nodes.dimse.association import NoResponse, OpenAssociation, Proposal
from dicom_nodes.dimse.commitment_scu import TRANSFER_SYNTAXES, require_success
from dicom_nodes.dimse.messages import CreateRequest
from dicom_nodes.dimse.nested_data_set import encode_attributes
from dicom_nodes.dimse.requester import AssociationRequester, Timeouts
from dicom_nodes.dimse.sop_classes import INSTANCE_AVAILABILITY_NOTIFICATION
from dicom_nodes.model.attributes import Attributes
from dicom_nodes.model.commitment import InstanceReference
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.model.errors import PeerUnavailable


class DicomAvailabilityScu:
    """Implements `AvailabilityScu`."""

    def __init__(
        self, own_ae_title: str, *, timeouts: Timeouts | None = None, open_association: OpenAssociation | None = None
    ) -> None:
        """`open_association` opens them, by TLS where that is due."""
        self._own_ae_title = own_ae_title
        self._open: OpenAssociation = open_association or AssociationRequester(own_ae_title, timeouts)

    def notify(
        self,
        to: ApplicationEntity,
        notification_uid: str,
        study_instance_uid: str,
        series: Mapping[str, Sequence[InstanceReference]],
    ) -> None:
        attributes: Attributes = {
            "ReferencedPerformedProcedureStepSequence": [],
            "StudyInstanceUID": study_instance_uid,
            "ReferencedSeriesSequence": [
                {"SeriesInstanceUID": uid, "ReferencedSOPSequence": [self._item(one) for one in instances]}
                for uid, instances in series.items()
            ],
        }
        association = self._open(to, [Proposal(INSTANCE_AVAILABILITY_NOTIFICATION, TRANSFER_SYNTAXES)])
        try:
            context = association.contexts[0]
            data_set = encode_attributes(attributes, context.transfer_syntax)
            request = CreateRequest(context, 1, INSTANCE_AVAILABILITY_NOTIFICATION, notification_uid, data_set)
            response = association.request(request)
        except NoResponse as loss:
            raise PeerUnavailable(str(loss)) from None
        finally:
            association.release()
        if response.status != Status.DUPLICATE_SOP_INSTANCE:
            require_success(to, "the notification", response)

    def _item(self, instance: InstanceReference) -> Attributes:
        return {
            "ReferencedSOPClassUID": instance.sop_class_uid,
            "ReferencedSOPInstanceUID": instance.sop_instance_uid,
            "InstanceAvailability": "ONLINE",
            "RetrieveAETitle": self._own_ae_title,
        }
