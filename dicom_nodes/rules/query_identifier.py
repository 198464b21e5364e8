"""Is this identifier one that its information model allows, and which of its keys do we support (PS3.4 C.4, C.6)?"""

from collections.abc import Mapping
from dataclasses import dataclass

from dicom_nodes.foundation.nhs_number import is_nhs_number
from dicom_nodes.model.errors import IdentifierMismatch
from dicom_nodes.model.instance import StoredObject
from dicom_nodes.model.query import LEVELS, Query, QueryLevel, QueryRoot
from dicom_nodes.rules.query_matching import (
    Matching,
    Test,
    date_range,
    has_wildcard,
    is_universal,
    matcher,
    time_range,
)

_UID, _TEXT, _NAME, _DATE, _TIME = Matching.UID, Matching.TEXT, Matching.NAME, Matching.DATE, Matching.TIME
_NUMBER, _RETURN = Matching.NUMBER, Matching.RETURN_ONLY

SUPPORTED_KEYS: Mapping[QueryLevel, Mapping[str, Matching]] = {
    QueryLevel.PATIENT: {
        "PatientID": _TEXT, "IssuerOfPatientID": _TEXT, "PatientName": _NAME, "PatientBirthDate": _DATE,
        "PatientBirthTime": _TIME, "PatientSex": _TEXT, "PatientComments": _TEXT,
        "NumberOfPatientRelatedStudies": _RETURN, "NumberOfPatientRelatedSeries": _RETURN,
        "NumberOfPatientRelatedInstances": _RETURN,
        "OtherPatientIDs": _TEXT, "OtherPatientIDsSequence.PatientID": _TEXT,
        "OtherPatientIDsSequence.IssuerOfPatientID": _RETURN, "OtherPatientIDsSequence.TypeOfPatientID": _RETURN,
        "IssuerOfPatientIDQualifiersSequence.UniversalEntityID": _TEXT,
        "IssuerOfPatientIDQualifiersSequence.UniversalEntityIDType": _RETURN,
    },
    QueryLevel.STUDY: {
        "StudyInstanceUID": _UID, "StudyDate": _DATE, "StudyTime": _TIME, "AccessionNumber": _TEXT, "StudyID": _TEXT,
        "StudyDescription": _TEXT, "ReferringPhysicianName": _NAME, "NameOfPhysiciansReadingStudy": _NAME,
        "PatientAge": _TEXT, "PatientSize": _NUMBER, "PatientWeight": _NUMBER, "ModalitiesInStudy": _TEXT,
        "IssuerOfAccessionNumberSequence.LocalNamespaceEntityID": _TEXT,
        "IssuerOfAccessionNumberSequence.UniversalEntityID": _TEXT,
        "IssuerOfAccessionNumberSequence.UniversalEntityIDType": _RETURN,
        "SOPClassesInStudy": _UID, "NumberOfStudyRelatedSeries": _RETURN, "NumberOfStudyRelatedInstances": _RETURN,
    },
    QueryLevel.SERIES: {
        "SeriesInstanceUID": _UID, "Modality": _TEXT, "SeriesNumber": _NUMBER, "SeriesDescription": _TEXT,
        "BodyPartExamined": _TEXT, "Laterality": _TEXT, "SeriesDate": _DATE, "SeriesTime": _TIME,
        "ProtocolName": _TEXT, "OperatorsName": _NAME, "PerformingPhysicianName": _NAME, "Manufacturer": _TEXT,
        "ManufacturerModelName": _TEXT, "InstitutionName": _TEXT, "StationName": _TEXT,
        "PerformedProcedureStepStartDate": _DATE, "PerformedProcedureStepStartTime": _TIME,
        "NumberOfSeriesRelatedInstances": _RETURN,
    },
    QueryLevel.IMAGE: {
        "SOPInstanceUID": _UID, "SOPClassUID": _UID, "InstanceNumber": _NUMBER, "ImageType": _TEXT,
        "AcquisitionNumber": _NUMBER, "AcquisitionDate": _DATE, "ContentDate": _DATE, "ContentTime": _TIME,
        "NumberOfFrames": _NUMBER, "Rows": _NUMBER, "Columns": _NUMBER, "BitsAllocated": _NUMBER,
        "CompletionFlag": _TEXT, "VerificationFlag": _TEXT,
    },
}  # fmt: skip
"""Keys by the level they belong to, with how each is matched; `Sequence.Keyword` is a key inside a sequence's item."""

NHS_ISSUERS = frozenset({"NHS", "NHSNBR", "2.16.840.1.113883.2.1.4.1"})
"""Names under which the NHS number's authority is known. Of other patient ids the catalogue keeps NHS numbers only."""
_OTHER_ID, _OTHER_ISSUER = "OtherPatientIDsSequence.PatientID", "OtherPatientIDsSequence.IssuerOfPatientID"
_ACCESSION_ISSUERS = (
    "IssuerOfAccessionNumberSequence.LocalNamespaceEntityID",
    "IssuerOfAccessionNumberSequence.UniversalEntityID",
)

_OF_SEVERAL_VALUES = frozenset({"ModalitiesInStudy", "ImageType"})
"""Text that has several values. Person names are compared value by value though most have one: a miss is worse."""

MOST_UIDS, MOST_TEXTS = 20_000, 1_000
"""Values that the UID keys of an identifier may list together, and its other keys. A statement of SQLite takes 32,766
values, one of PostgreSQL 65,535; whoever asks for more asks for a level above, or several times."""

UNIQUE_KEY: Mapping[QueryLevel, str] = {
    QueryLevel.PATIENT: "PatientID",
    QueryLevel.STUDY: "StudyInstanceUID",
    QueryLevel.SERIES: "SeriesInstanceUID",
    QueryLevel.IMAGE: "SOPInstanceUID",
}

_KEYS_IN_SEQUENCES = tuple(keyword for keys in SUPPORTED_KEYS.values() for keyword in keys if "." in keyword)
MATCHED_SEQUENCES = frozenset(keyword.partition(".")[0] for keyword in _KEYS_IN_SEQUENCES)
_ALWAYS_ANSWERED = frozenset({"RetrieveAETitle", "InstanceAvailability", "TimezoneOffsetFromUTC"})


@dataclass(frozen=True, slots=True)
class CheckedQuery:
    """A query that may be run. `keys` holds every supported key with the level it belongs to and its text.

    `complete` is False when an optional key is not supported: answers then carry FF01.
    """

    root: QueryRoot
    level: QueryLevel
    keys: Mapping[str, tuple[QueryLevel, str]]
    complete: bool

    def matching(self, keyword: str) -> Matching:
        return SUPPORTED_KEYS[self.keys[keyword][0]][keyword]

    def test(self, keyword: str) -> Test | None:
        """Whether a stored value meets this key; None where it matches everything."""
        matching = self.matching(keyword)
        is_single = matching in {_TEXT, _DATE} and keyword not in _OF_SEVERAL_VALUES
        return matcher(matching, self.keys[keyword][1], several=not is_single)


@dataclass(frozen=True, slots=True)
class RetrieveSelection:
    """Unique keys that select what to retrieve; an empty tuple or None does not restrict."""

    patient_id: str | None = None
    patient_id_issuer: str | None = None
    study_instance_uids: tuple[str, ...] = ()
    series_instance_uids: tuple[str, ...] = ()
    sop_instance_uids: tuple[str, ...] = ()

    def holds(self, stored: StoredObject) -> bool:
        """Whether the UIDs select an object that the catalogue does not know; a patient id alone never does."""
        chosen = (
            (self.study_instance_uids, stored.study_instance_uid),
            (self.series_instance_uids, stored.series_instance_uid),
            (self.sop_instance_uids, stored.sop_instance_uid),
        )
        return any(uids for uids, _ in chosen) and all(not uids or uid in uids for uids, uid in chosen)


def check_query(query: Query) -> CheckedQuery:
    """Check a C-FIND identifier (DICOM PS3.4 C.4.1.2): levels, unique keys above, the form of dates and times.

    Keys of a level above are matched and answered too; keys of a level below, and unknown ones, are unsupported.

    Raises:
        IdentifierMismatch: says which rule it breaks.
    """
    _require_level(query)
    if not query.relational:
        for level in _levels_above(query):
            _require_single(query, UNIQUE_KEY[level])
    _require_bounded(query)
    asked, complete = _asked(query)
    keys: dict[str, tuple[QueryLevel, str]] = {}
    for keyword, text in asked.items():
        level_of_key = _level_of(keyword, query.level)
        if level_of_key is None:
            complete = complete and keyword in _ALWAYS_ANSWERED
            continue
        _require_form(SUPPORTED_KEYS[level_of_key][keyword], text)
        keys[keyword] = (level_of_key, text)
    return CheckedQuery(query.root, query.level, keys, complete)


def _asked(query: Query) -> tuple[dict[str, str], bool]:
    """The keys, those of sequences as this node keeps them; False where one cannot be matched.

    An empty sequence asks for all that is known of it. Either form of an accession number's issuer names it, because
    the catalogue keeps one. An other patient id under an issuer that is not the NHS is not in the catalogue at all, nor
    is one without issuer that is no NHS number: they count as unsupported, never as "no such patient".
    """
    keys, complete = dict(query.keys), query.other_keys == 0
    for sequence in [keyword for keyword in keys if keyword in MATCHED_SEQUENCES]:
        del keys[sequence]
        keys = {keyword: "" for keyword in _KEYS_IN_SEQUENCES if keyword.startswith(f"{sequence}.")} | keys
    issuer = keys.get(_OTHER_ISSUER, "").strip()
    if issuer and issuer.upper() not in NHS_ISSUERS:
        complete = False
        keys[_OTHER_ID] = ""
    for keyword in ("OtherPatientIDs", _OTHER_ID):
        if keyword in keys:
            keys[keyword] = keys[keyword].replace(" ", "").replace("-", "")
            named_nhs = keyword == _OTHER_ID and bool(issuer)
            if keys[keyword].strip("*") and not named_nhs and not _are_nhs_numbers(keys[keyword]):
                complete = False
                keys[keyword] = ""
    issuers = "\\".join(text for keyword in _ACCESSION_ISSUERS if (text := keys.get(keyword, "").strip()))
    keys |= {keyword: issuers for keyword in _ACCESSION_ISSUERS if keyword in keys}
    return keys, complete


def _are_nhs_numbers(text: str) -> bool:
    return all(is_nhs_number(part) for part in text.split("\\"))


def check_retrieve(query: Query) -> RetrieveSelection:
    """Check a C-MOVE or C-GET identifier (DICOM PS3.4 C.4.2.2.1, C.4.3.2.1): unique keys only, lists only of UIDs.

    Raises:
        IdentifierMismatch: says which rule it breaks.
    """
    _require_level(query)
    for level in _levels_above(query):
        if not query.relational or query.keys.get(UNIQUE_KEY[level]):
            _require_single(query, UNIQUE_KEY[level])
    _require_bounded(query)
    wanted = query.keys.get(UNIQUE_KEY[query.level], "").strip()
    if not wanted or has_wildcard(wanted):
        raise IdentifierMismatch(f"{UNIQUE_KEY[query.level]} must be given in full")
    if query.level is QueryLevel.PATIENT:
        _require_single(query, "PatientID")
    patient_root = query.root is QueryRoot.PATIENT
    return RetrieveSelection(
        patient_id=query.keys.get("PatientID") or None if patient_root else None,
        patient_id_issuer=query.keys.get("IssuerOfPatientID") or None if patient_root else None,
        study_instance_uids=_uids(query, QueryLevel.STUDY),
        series_instance_uids=_uids(query, QueryLevel.SERIES),
        sop_instance_uids=_uids(query, QueryLevel.IMAGE),
    )


def _require_level(query: Query) -> None:
    if query.root is QueryRoot.STUDY and query.level is QueryLevel.PATIENT:
        raise IdentifierMismatch("Study Root has no PATIENT level")


def _levels_above(query: Query) -> tuple[QueryLevel, ...]:
    top = 0 if query.root is QueryRoot.PATIENT else 1
    return LEVELS[top : LEVELS.index(query.level)]


def _require_bounded(query: Query) -> None:
    uids = texts = 0
    for keyword, text in query.keys.items():
        if keyword.endswith("UID"):
            uids += text.count("\\") + 1
        elif "\\" in text:
            texts += text.count("\\") + 1
    if uids > MOST_UIDS:
        raise IdentifierMismatch(f"{uids} UIDs are listed, at most {MOST_UIDS} may be")
    if texts > MOST_TEXTS:
        raise IdentifierMismatch(f"{texts} values are listed, at most {MOST_TEXTS} may be")


def _require_single(query: Query, keyword: str) -> None:
    text = query.keys.get(keyword, "").strip()
    if not text or "\\" in text or has_wildcard(text):
        raise IdentifierMismatch(f"{query.level} level needs one value for {keyword}")


def _level_of(keyword: str, lowest: QueryLevel) -> QueryLevel | None:
    levels = LEVELS[: LEVELS.index(lowest) + 1]
    return next((level for level in levels if keyword in SUPPORTED_KEYS[level]), None)


def _require_form(matching: Matching, text: str) -> None:
    if is_universal(matching, text):
        return
    if matching is Matching.DATE:
        date_range(text)
    elif matching is Matching.TIME:
        time_range(text)


def _uids(query: Query, level: QueryLevel) -> tuple[str, ...]:
    if LEVELS.index(level) > LEVELS.index(query.level):
        return ()
    text = query.keys.get(UNIQUE_KEY[level], "")
    return tuple(part for value in text.split("\\") if (part := value.strip("\0 ")))
