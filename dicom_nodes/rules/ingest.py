"""Whether an instance is taken, known already, or kept aside (HAZARDS 6, 7; DESIGN.md promises 3, 5, 12)."""

import re
from dataclasses import dataclass

from dicom_nodes.model.errors import CannotUnderstand, DataSetMismatch, Refused
from dicom_nodes.model.instance import InstanceHeader, StoredObject
from dicom_nodes.model.study import StudyOwner
from dicom_nodes.rules.person_name import fold

LONGEST_IDENTIFIER = 256
"""Far beyond what the standard allows (LO: 64); an identifier is never cut, because a cut one is another's."""
_UID = re.compile(r"(0|[1-9][0-9]*|0[0-9]+)(\.[0-9]+)+")


@dataclass(frozen=True, slots=True)
class Take:
    """Sound, and new; or known, but its bytes are not here any more: they are taken back."""


@dataclass(frozen=True, slots=True)
class Known:
    """The same UID with the same bytes is here already: nothing to do, and success to say."""


@dataclass(frozen=True, slots=True)
class KeepAside:
    """Quarantine it and refuse with `refusal`, whose message is the reason a person reads."""

    refusal: Refused


Verdict = Take | Known | KeepAside


def is_uid(text: str) -> bool:
    """Whether `text` can be a UID: digits and dots, 64 characters at most (DICOM PS3.5 section 9)."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def judge_header(header: InstanceHeader, sop_class_uid: str, sop_instance_uid: str) -> KeepAside | None:
    """Compare a data set with what its C-STORE request announced; None when they agree.

    DICOM PS3.4 B.2.3: A900 where the data set does not match the SOP class.
    """
    if header.sop_class_uid != sop_class_uid:
        return KeepAside(DataSetMismatch("data set holds another SOP Class UID than announced"))
    if header.sop_instance_uid != sop_instance_uid:
        return KeepAside(DataSetMismatch("data set holds another SOP Instance UID than announced"))
    uids = {
        "SOP Instance UID": header.sop_instance_uid,
        "Study Instance UID": header.study_instance_uid,
        "Series Instance UID": header.series_instance_uid,
    }
    identifiers = (header.patient_id, header.patient_id_issuer, header.accession_number, header.accession_issuer)
    if any(len(text or "") > LONGEST_IDENTIFIER for text in identifiers):
        return KeepAside(CannotUnderstand(f"an identifier is longer than {LONGEST_IDENTIFIER} characters"))
    for name, uid in uids.items():
        if not uid:
            return KeepAside(CannotUnderstand(f"data set has no {name}"))
        if not is_uid(uid):
            return KeepAside(CannotUnderstand(f"data set has a malformed {name}"))
    return None


def judge_identity(
    header: InstanceHeader, digest: str, origin: str, existing: StoredObject | None, study: StudyOwner | None
) -> Verdict:
    """Compare with what is here: the instance of the same UID, and whose the study of the same UID is."""
    if existing is not None:
        if existing.origin != origin:
            return KeepAside(CannotUnderstand("same SOP Instance UID is here from another trust"))
        if existing.digest == digest:
            return Take() if existing.location is None else Known()
        return KeepAside(CannotUnderstand("same SOP Instance UID is here with other content"))
    if study is not None and study.origin != origin:
        return KeepAside(CannotUnderstand("same Study Instance UID is here from another trust"))
    if study is not None and _is_another_patient(header, study):
        return KeepAside(CannotUnderstand("same Study Instance UID is here for another patient"))
    return Take()


def _is_another_patient(header: InstanceHeader, study: StudyOwner) -> bool:
    """Whether any identifier that both sides state differs; names decide only where one side has no patient id."""
    if study.patient_id and header.patient_id:
        if (study.patient_id_issuer, study.patient_id) != (header.patient_id_issuer, header.patient_id):
            return True
    elif _differ(
        study.patient_name and fold(study.patient_name), fold(header.attributes.get("PatientName", "")) or None
    ):
        return True
    return _differ(study.nhs_number, header.nhs_number) or _differ(study.birth_date, header.birth_date)


def _differ(one: object, other: object) -> bool:
    return one is not None and other is not None and one != other
