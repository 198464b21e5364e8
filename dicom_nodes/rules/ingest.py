"""Whether an instance is taken, known already, or kept aside (HAZARDS 6, 7; DESIGN.md promises 3, 5, 12)."""

import re
from dataclasses import dataclass

from dicom_nodes.model.errors import CannotUnderstand, DataSetMismatch, Refused
from dicom_nodes.model.instance import InstanceHeader, StoredObject

_UID = re.compile(r"(0|[1-9][0-9]*|0[0-9]+)(\.[0-9]+)+")


@dataclass(frozen=True, slots=True)
class Take:
    """New and sound."""


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
    for name, uid in uids.items():
        if not uid:
            return KeepAside(CannotUnderstand(f"data set has no {name}"))
        if not is_uid(uid):
            return KeepAside(CannotUnderstand(f"data set has a malformed {name}"))
    return None


def judge_identity(
    header: InstanceHeader,
    digest: str,
    origin: str,
    existing: StoredObject | None,
    study: tuple[str, str | None, str | None] | None,
) -> Verdict:
    """Compare with what is here: the instance of the same UID, and (origin, issuer, patient id) of the same study."""
    if existing is not None:
        if existing.digest == digest:
            return Known()
        return KeepAside(CannotUnderstand("same SOP Instance UID is here with other content"))
    if study is not None and study[0] != origin:
        return KeepAside(CannotUnderstand("same Study Instance UID is here from another trust"))
    if study is not None and study[1:] != (header.patient_id_issuer, header.patient_id):
        return KeepAside(CannotUnderstand("same Study Instance UID is here for another patient"))
    return Take()
