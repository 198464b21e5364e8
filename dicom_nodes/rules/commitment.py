"""What this node commits to: that the trust has the instance, and goes on having it (ADR 043)."""

from collections.abc import Iterable

from dicom_nodes.model.commitment import FailureReason, InstanceReference
from dicom_nodes.model.instance import StoredObject


def judge(
    asked: InstanceReference,
    stored: StoredObject | None,
    *,
    has_quarantined: bool,
    is_evicted: bool,
    is_readable: bool,
) -> FailureReason | None:
    """Why the node does not commit to an instance; None when it does.

    Bytes in quarantine may be the asker's own, so that it must keep its copy until a person has decided. What the
    spool let go of on purpose (`is_evicted`) is kept by the archive; what is damaged in the spool is a failure,
    whatever the archive once acknowledged.
    """
    if has_quarantined:
        return FailureReason.PROCESSING_FAILURE
    if stored is None:
        return FailureReason.NO_SUCH_INSTANCE
    if stored.sop_class_uid != asked.sop_class_uid:
        return FailureReason.CLASS_INSTANCE_CONFLICT
    if not (is_readable or is_evicted):
        return FailureReason.PROCESSING_FAILURE
    return None


def distinct(instances: Iterable[InstanceReference]) -> tuple[InstanceReference, ...]:
    """Each once, in the order asked."""
    return tuple(dict.fromkeys(instances))
