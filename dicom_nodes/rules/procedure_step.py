"""Which changes of a performed procedure step are allowed, and what its modality must say (DICOM PS3.4 F.7.2).

Once COMPLETED or DISCONTINUED it never changes again: the modality is told 0110 with Error ID A501 (F.7.2.2.2).
"""

from collections.abc import Iterator
from dataclasses import replace

from dicom_nodes.model.attributes import Attributes, items_of, text_of
from dicom_nodes.model.commitment import InstanceReference
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.model.errors import OperationRefused
from dicom_nodes.model.procedure import Announcement, PerformedStep, StepState
from dicom_nodes.rules.ingest import is_uid

MAY_NO_LONGER_BE_UPDATED = 0xA501
_AT_CREATION = (
    "PerformedProcedureStepID", "PerformedStationAETitle", "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime", "Modality",
)  # fmt: skip
"""Type 1 of N-CREATE (DICOM PS3.4 table F.7.2-1), beside the status and the study."""
_ONLY_AT_CREATION = frozenset({
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "ScheduledStepAttributesSequence",
    "PerformedProcedureStepID", "PerformedStationAETitle", "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime", "Modality", "StudyID",
})  # fmt: skip
"""Not allowed in N-SET (the same table)."""
_REFERENCES = ("ReferencedImageSequence", "ReferencedNonImageCompositeSOPInstanceSequence")


def created(sop_instance_uid: str, attributes: Attributes, performed_by: str) -> PerformedStep:
    """The step that an N-CREATE makes.

    Raises:
        OperationRefused: 0117 malformed UID, 0120 or 0121 something is missing, 0106 it does not begin IN PROGRESS.
    """
    if not is_uid(sop_instance_uid):
        raise OperationRefused(Status.INVALID_SOP_INSTANCE, "the SOP Instance UID is malformed")
    state = _state(attributes)
    if state is not StepState.IN_PROGRESS:
        raise OperationRefused(Status.INVALID_ATTRIBUTE_VALUE, "a step begins IN PROGRESS")
    for keyword in _AT_CREATION:
        _require(attributes, keyword)
    if not items_of(attributes, "ScheduledStepAttributesSequence"):
        raise OperationRefused(Status.MISSING_ATTRIBUTE, "ScheduledStepAttributesSequence is missing")
    step = PerformedStep(sop_instance_uid, state, performed_by, attributes)
    if len(studies_of(step)) < 1:
        raise OperationRefused(Status.MISSING_ATTRIBUTE_VALUE, "no scheduled step names its Study Instance UID")
    return step


def changed(step: PerformedStep, attributes: Attributes) -> PerformedStep:
    """The step after an N-SET; attributes that are set replace the earlier ones whole.

    Raises:
        OperationRefused: 0110/A501 the step has ended, 0106 an unknown status or an attribute that may not be set,
            0120 or 0121 a step that ends lacks what its end must have.
    """
    if step.state.is_final:
        raise OperationRefused(
            Status.PROCESSING_FAILURE, f"the step is {step.state} and never changes again", MAY_NO_LONGER_BE_UPDATED
        )
    if not_settable := sorted(_ONLY_AT_CREATION & attributes.keys()):
        raise OperationRefused(Status.INVALID_ATTRIBUTE_VALUE, f"{not_settable[0]} may not be changed")
    state = _state(attributes) if "PerformedProcedureStepStatus" in attributes else step.state
    merged = step.attributes | attributes
    if state.is_final:
        _require(merged, "PerformedProcedureStepEndDate")
        _require(merged, "PerformedProcedureStepEndTime")
    if state is StepState.COMPLETED:
        _require_series(merged)
    return replace(step, state=state, attributes=merged)


def require_creator(step: PerformedStep, changed_by: str) -> PerformedStep:
    """The step, if the peer of this AE title created it.

    Raises:
        OperationRefused: 0124, it is another's.
    """
    if changed_by != step.performed_by:
        raise OperationRefused(Status.NOT_AUTHORISED, "only the AE title that created a step may change it")
    return step


def studies_of(step: PerformedStep) -> tuple[str, ...]:
    """Study Instance UIDs of the scheduled steps it performs."""
    items = items_of(step.attributes, "ScheduledStepAttributesSequence")
    return tuple(dict.fromkeys(uid for item in items if is_uid(uid := text_of(item, "StudyInstanceUID"))))


def announcements_of(step: PerformedStep) -> tuple[Announcement, ...]:
    """What a COMPLETED step says it made; of several studies it cannot be told apart, so nothing is then said."""
    studies, instances = studies_of(step), tuple(dict.fromkeys(_instances(step.attributes)))
    if step.state is not StepState.COMPLETED or len(studies) != 1 or not instances:
        return ()
    return (Announcement(studies[0], step.performed_by, instances),)


def _instances(attributes: Attributes) -> Iterator[InstanceReference]:
    for series in items_of(attributes, "PerformedSeriesSequence"):
        for keyword in _REFERENCES:
            yield from references(series, keyword)


def references(attributes: Attributes, keyword: str) -> tuple[InstanceReference, ...]:
    """The instances that a sequence refers to; items without two UIDs refer to nothing."""
    pairs = (
        InstanceReference(text_of(item, "ReferencedSOPClassUID"), text_of(item, "ReferencedSOPInstanceUID"))
        for item in items_of(attributes, keyword)
    )
    return tuple(pair for pair in pairs if is_uid(pair.sop_class_uid) and is_uid(pair.sop_instance_uid))


def _state(attributes: Attributes) -> StepState:
    _require(attributes, "PerformedProcedureStepStatus")
    try:
        return StepState(text_of(attributes, "PerformedProcedureStepStatus"))
    except ValueError:
        words = "PerformedProcedureStepStatus is none of IN PROGRESS, COMPLETED, DISCONTINUED"
        raise OperationRefused(Status.INVALID_ATTRIBUTE_VALUE, words) from None


def _require(attributes: Attributes, keyword: str) -> None:
    if keyword not in attributes:
        raise OperationRefused(Status.MISSING_ATTRIBUTE, f"{keyword} is missing")
    if not text_of(attributes, keyword).strip():
        raise OperationRefused(Status.MISSING_ATTRIBUTE_VALUE, f"{keyword} is empty")


def _require_series(attributes: Attributes) -> None:
    series = items_of(attributes, "PerformedSeriesSequence")
    if not series:
        raise OperationRefused(Status.MISSING_ATTRIBUTE, "PerformedSeriesSequence is missing")
    for item in series:
        _require(item, "SeriesInstanceUID")
