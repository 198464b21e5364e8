"""What the node commits to, case by case (ADR 043)."""

import pytest

from dicom_nodes.model.commitment import FailureReason, InstanceReference
from dicom_nodes.model.instance import StoredObject
from dicom_nodes.rules.commitment import judge

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
STORED = StoredObject("1.2.3", CT, "1.2", "1.2.1", "1.2.840.10008.1.2", "d", 1, "RXN", "x")


@pytest.mark.parametrize(
    ("sop_class", "stored", "has_quarantined", "is_evicted", "is_readable", "reason"),
    [
        (CT, STORED, False, False, True, None),
        (CT, STORED, False, True, False, None),
        (CT, STORED, False, False, False, FailureReason.PROCESSING_FAILURE),
        (CT, STORED, True, True, True, FailureReason.PROCESSING_FAILURE),
        (CT, None, True, False, False, FailureReason.PROCESSING_FAILURE),
        (CT, None, False, False, False, FailureReason.NO_SUCH_INSTANCE),
        (MR, STORED, False, True, True, FailureReason.CLASS_INSTANCE_CONFLICT),
    ],
)
def test_verdict(
    sop_class: str,
    stored: StoredObject | None,
    has_quarantined: bool,
    is_evicted: bool,
    is_readable: bool,
    reason: FailureReason | None,
) -> None:
    verdict = judge(
        InstanceReference(sop_class, "1.2.3"),
        stored,
        has_quarantined=has_quarantined,
        is_evicted=is_evicted,
        is_readable=is_readable,
    )
    assert verdict == reason
