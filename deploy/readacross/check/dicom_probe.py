"""Ask a DICOM partner the way the node will: with the node's own requester and AE title, one question at a time.

Nothing is stored or retrieved, and the C-FIND asks for a study that cannot exist: no answer carries patient data.
"""

from collections.abc import Collection

from dicom_nodes.dimse.association import OpenAssociation, Proposal
from dicom_nodes.dimse.requester import AssociationRequester, Timeouts
from dicom_nodes.dimse.verification_scu import DicomProbe
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.errors import PeerFailed
from readacross.check.outcome import Answer

STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
IMAGES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
}
REPORTS = {"Basic Text SR": "1.2.840.10008.5.1.4.1.1.88.11"}
PAGES = {"Encapsulated PDF": "1.2.840.10008.5.1.4.1.1.104.1"}
_UNCOMPRESSED = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
TIMEOUTS = Timeouts(connect_s=10, associate_s=10, response_s=10)


def echo(calling: str, partner: ApplicationEntity, call: OpenAssociation | None = None) -> Answer:
    """C-ECHO. Here as below, `call` opens the association; without it there is no TLS."""
    failure = DicomProbe(calling, timeouts=TIMEOUTS, open_association=call).echo(partner)
    return Answer("C-ECHO", failure is None, failure or "answers")


def find(calling: str, partner: ApplicationEntity, call: OpenAssociation | None = None) -> Answer:
    """C-FIND (Study Root) for a study that cannot exist."""
    failure = DicomProbe(calling, timeouts=TIMEOUTS, open_association=call).find(partner)
    return Answer("C-FIND", failure is None, failure or "answers")


def takes(
    calling: str, partner: ApplicationEntity, wanted: dict[str, str], call: OpenAssociation | None = None
) -> Answer:
    """Whether it would take these SOP classes (name → UID) by C-STORE; nothing is sent."""
    try:
        accepted = _accepted(calling, partner, wanted.values(), call)
    except PeerFailed as failure:
        return Answer("C-STORE", False, str(failure))
    missing = [name for name, uid in wanted.items() if uid not in accepted]
    if missing:
        words = f"{partner.ae_title} accepts the association, but does not take {', '.join(missing)} from us"
        return Answer("C-STORE", False, words)
    return Answer("C-STORE", True, f"takes {', '.join(wanted)}")


def gives_images(calling: str, partner: ApplicationEntity, call: OpenAssociation | None = None) -> Answer:
    """Whether it offers C-GET (Study Root) to us; nothing is retrieved."""
    try:
        _accepted(calling, partner, [STUDY_ROOT_GET], call)
    except PeerFailed as failure:
        return Answer("C-GET", False, str(failure))
    return Answer("C-GET", True, "is offered")


def _accepted(
    calling: str, partner: ApplicationEntity, sop_classes: Collection[str], call: OpenAssociation | None
) -> set[str]:
    proposals = [Proposal(uid, _UNCOMPRESSED) for uid in sop_classes]
    association = (call or AssociationRequester(calling, TIMEOUTS))(partner, proposals)
    try:
        return {context.abstract_syntax for context in association.contexts}
    finally:
        association.release()
