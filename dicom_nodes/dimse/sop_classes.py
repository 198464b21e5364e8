"""Which SOP class belongs to which service: what is not a known other service is taken as storage.

New, retired and private storage classes are therefore accepted without a list that must be kept up to date.
"""

from enum import StrEnum
from functools import lru_cache

from pydicom.uid import UID

from dicom_nodes.model.query import QueryRoot

VERIFICATION = "1.2.840.10008.1.1"
PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
PATIENT_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.1.2"
PATIENT_ROOT_GET = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
STORAGE_COMMITMENT_PUSH = "1.2.840.10008.1.20.1"
STORAGE_COMMITMENT_PUSH_INSTANCE = "1.2.840.10008.1.20.1.1"
MODALITY_PERFORMED_PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"
INSTANCE_AVAILABILITY_NOTIFICATION = "1.2.840.10008.5.1.4.33"
MODALITY_WORKLIST_FIND = "1.2.840.10008.5.1.4.31"

_DICOM_ROOT = "1.2.840.10008."
_STORAGE_BRANCH = "1.2.840.10008.5.1.4.1.1."
_STORAGE_OUTSIDE_THE_BRANCH = frozenset(
    {
        "1.2.840.10008.5.1.4.34.7",  # RT Beams Delivery Instruction
        "1.2.840.10008.5.1.4.34.10",  # RT Brachy Application Setup Delivery Instruction
        "1.2.840.10008.5.1.4.38.1",  # Hanging Protocol
        "1.2.840.10008.5.1.4.39.1",  # Color Palette
        "1.2.840.10008.5.1.4.43.1",  # Generic Implant Template
        "1.2.840.10008.5.1.4.44.1",  # Implant Assembly Template
        "1.2.840.10008.5.1.4.45.1",  # Implant Template Group
    }
)


class Service(StrEnum):
    ECHO = "echo"
    STORE = "store"
    FIND = "find"
    MOVE = "move"
    GET = "get"
    COMMITMENT = "commitment"
    PROCEDURE_STEP = "procedure step"
    AVAILABILITY = "availability"
    WORKLIST = "worklist"


_QUERY_RETRIEVE: dict[str, tuple[Service, QueryRoot]] = {
    PATIENT_ROOT_FIND: (Service.FIND, QueryRoot.PATIENT),
    PATIENT_ROOT_MOVE: (Service.MOVE, QueryRoot.PATIENT),
    PATIENT_ROOT_GET: (Service.GET, QueryRoot.PATIENT),
    STUDY_ROOT_FIND: (Service.FIND, QueryRoot.STUDY),
    STUDY_ROOT_MOVE: (Service.MOVE, QueryRoot.STUDY),
    STUDY_ROOT_GET: (Service.GET, QueryRoot.STUDY),
}


_WORKFLOW: dict[str, Service] = {
    STORAGE_COMMITMENT_PUSH: Service.COMMITMENT,
    MODALITY_PERFORMED_PROCEDURE_STEP: Service.PROCEDURE_STEP,
    INSTANCE_AVAILABILITY_NOTIFICATION: Service.AVAILABILITY,
    MODALITY_WORKLIST_FIND: Service.WORKLIST,
}


@lru_cache(1024)
def service_of(abstract_syntax: str) -> Service | None:
    """The service that a presentation context with this abstract syntax asks for; None when we do not offer it."""
    if abstract_syntax == VERIFICATION:
        return Service.ECHO
    if abstract_syntax in _QUERY_RETRIEVE:
        return _QUERY_RETRIEVE[abstract_syntax][0]
    if abstract_syntax in _WORKFLOW:
        return _WORKFLOW[abstract_syntax]
    return Service.STORE if _is_storage(abstract_syntax) else None


def root_of(abstract_syntax: str) -> QueryRoot:
    """The information model of a query/retrieve SOP class."""
    return _QUERY_RETRIEVE[abstract_syntax][1]


def _is_storage(uid: str) -> bool:
    if not uid.startswith(_DICOM_ROOT):
        return True
    if uid in _STORAGE_OUTSIDE_THE_BRANCH:
        return True
    if not uid.startswith(_STORAGE_BRANCH):
        return False
    known = UID(uid)
    if known.name == uid:
        return True
    return known.type == "SOP Class" and not any(word in known.name for word in ("FIND", "MOVE", "GET"))


def known_transfer_syntax(uid: str) -> bool:
    """Whether the standard defines it (retired ones included)."""
    known = UID(uid)
    return known.name != uid and known.type == "Transfer Syntax"


def name_of(uid: str) -> str:
    """The standard's name of a UID for people, or the UID itself when it is private."""
    return UID(uid).name
