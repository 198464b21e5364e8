"""Asks a partner whether it answers, and says in words what does not work."""

from dicom_nodes.dimse.association import NoContextAccepted, NoResponse, OpenAssociation, Proposal
from dicom_nodes.dimse.identifier import encode_identifier
from dicom_nodes.dimse.messages import EchoRequest, FindRequest, PresentationContext, Request
from dicom_nodes.dimse.requester import AssociationRequester, Timeouts
from dicom_nodes.dimse.sop_classes import STUDY_ROOT_FIND, VERIFICATION
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.model.errors import PeerFailed
from dicom_nodes.model.query import QueryLevel

_TRANSFER_SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
_UID_OF_NO_STUDY = "2.25.0"


class DicomProbe:
    """C-ECHO and C-FIND as a check of a partner's settings."""

    def __init__(
        self, own_ae_title: str, *, timeouts: Timeouts | None = None, open_association: OpenAssociation | None = None
    ) -> None:
        """`open_association` stands in for the network in tests."""
        self._own_ae_title = own_ae_title
        self._open = open_association or AssociationRequester(own_ae_title, timeouts)

    def echo(self, to: ApplicationEntity) -> str | None:
        """None when the partner answers C-ECHO with success, otherwise what fails."""
        return self._ask(to, "C-ECHO", VERIFICATION)

    def find(self, to: ApplicationEntity) -> str | None:
        """None when the partner answers a C-FIND for a study that cannot exist, otherwise what fails."""
        return self._ask(to, "C-FIND", STUDY_ROOT_FIND)

    def _ask(self, to: ApplicationEntity, operation: str, sop_class_uid: str) -> str | None:
        refuses = f"{to.ae_title} accepts the association, refuses {operation}"
        try:
            association = self._open(to, [Proposal(sop_class_uid, _TRANSFER_SYNTAXES)])
        except NoContextAccepted:
            return f"{refuses}: the service is not offered to our AE title '{self._own_ae_title}'"
        except PeerFailed as failure:
            return str(failure)
        try:
            response = association.request(_request(association.contexts[0]))
        except NoResponse as loss:
            return f"{refuses}: {loss}; is our AE title '{self._own_ae_title}' listed for it there?"
        finally:
            association.release()
        if response.status == Status.SUCCESS:
            return None
        if response.status == Status.NOT_AUTHORISED:
            return f"{refuses}: our AE title '{self._own_ae_title}' is not listed for it there (0124)"
        return f"{refuses}: it answers {response.status:04X}" + (f", {response.comment}" if response.comment else "")


def _request(context: PresentationContext) -> Request:
    if context.abstract_syntax == VERIFICATION:
        return EchoRequest(context, 1, VERIFICATION)
    identifier = encode_identifier(QueryLevel.STUDY, {"StudyInstanceUID": _UID_OF_NO_STUDY}, context.transfer_syntax)
    return FindRequest(context, 1, STUDY_ROOT_FIND, identifier)


def probe_echo(own_ae_title: str, to: ApplicationEntity, timeouts: Timeouts | None = None) -> str | None:
    """What fails when we send C-ECHO to a partner; None when nothing does."""
    return DicomProbe(own_ae_title, timeouts=timeouts).echo(to)


def probe_find(own_ae_title: str, to: ApplicationEntity, timeouts: Timeouts | None = None) -> str | None:
    """What fails when we send C-FIND to a partner; None when nothing does."""
    return DicomProbe(own_ae_title, timeouts=timeouts).find(to)
