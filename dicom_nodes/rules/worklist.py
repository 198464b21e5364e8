"""Whether a scheduled step meets a worklist query, and what is answered (DICOM PS3.4 K.2.2, table K.6-1)."""

from collections.abc import Mapping

from dicom_nodes.model.attributes import Attributes, items_of, text_of
from dicom_nodes.rules.query_matching import Matching, Range, comparable_time, date_range, matches, time_range

_UID, _TEXT, _NAME, _DATE, _TIME = Matching.UID, Matching.TEXT, Matching.NAME, Matching.DATE, Matching.TIME
STEP_SEQUENCE = "ScheduledProcedureStepSequence"
_DATE_KEY, _TIME_KEY = "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime"

MATCHED: Mapping[str, Matching] = {
    "PatientName": _NAME, "PatientID": _TEXT, "IssuerOfPatientID": _TEXT, "PatientBirthDate": _DATE,
    "PatientSex": _TEXT, "AccessionNumber": _TEXT, "StudyInstanceUID": _UID, "RequestedProcedureID": _TEXT,
    "RequestedProcedurePriority": _TEXT, "ReferringPhysicianName": _NAME, "RequestingPhysician": _NAME,
    "AdmissionID": _TEXT, "CurrentPatientLocation": _TEXT,
}  # fmt: skip
MATCHED_IN_STEP: Mapping[str, Matching] = {
    "ScheduledStationAETitle": _TEXT, _DATE_KEY: _DATE, _TIME_KEY: _TIME, "Modality": _TEXT,
    "ScheduledPerformingPhysicianName": _NAME, "ScheduledProcedureStepID": _TEXT, "ScheduledStationName": _TEXT,
    "ScheduledProcedureStepLocation": _TEXT, "ScheduledProcedureStepStatus": _TEXT,
}  # fmt: skip


def meets(wanted: Attributes, step: Attributes) -> bool:
    """Whether the step is to be answered; other keys than those above are answered, never matched.

    Raises:
        IdentifierMismatch: a date or time key is malformed.
    """
    if not _all_match(MATCHED, wanted, step):
        return False
    inner_wanted = next(iter(items_of(wanted, STEP_SEQUENCE)), {})
    inner = next(iter(items_of(step, STEP_SEQUENCE)), {})
    if _is_range(inner_wanted, _DATE_KEY) and _is_range(inner_wanted, _TIME_KEY):
        rest = {keyword: how for keyword, how in MATCHED_IN_STEP.items() if keyword not in {_DATE_KEY, _TIME_KEY}}
        return _in_period(inner_wanted, inner) and _all_match(rest, inner_wanted, inner)
    return _all_match(MATCHED_IN_STEP, inner_wanted, inner)


def answer(wanted: Attributes, step: Attributes) -> Attributes:
    """The keys asked for with the step's values, empty where it has none; an empty sequence asks for all of it."""
    answered: Attributes = {}
    for keyword, asked in wanted.items():
        value = step.get(keyword)
        if isinstance(asked, str):
            answered[keyword] = value if isinstance(value, str) else ""
        elif not isinstance(value, list):
            answered[keyword] = []
        else:
            answered[keyword] = [answer(asked[0], item) if asked and asked[0] else item for item in value]
    return answered


def dates_wanted(wanted: Attributes) -> Range:
    """The dates of start that can match at all, to narrow what is looked at.

    Raises:
        IdentifierMismatch: the date key is malformed.
    """
    text = text_of(next(iter(items_of(wanted, STEP_SEQUENCE)), {}), _DATE_KEY).strip()
    return date_range(text) if text else Range(None, None)


def _all_match(keys: Mapping[str, Matching], wanted: Attributes, found: Attributes) -> bool:
    return all(
        matches(how, text, text_of(found, keyword))
        for keyword, how in keys.items()
        if (text := text_of(wanted, keyword))
    )


def _is_range(wanted: Attributes, keyword: str) -> bool:
    return "-" in text_of(wanted, keyword)


def _in_period(wanted: Attributes, step: Attributes) -> bool:
    """A range of dates with a range of times is one period, from the first time to the last (table K.6-1)."""
    dates, times = date_range(text_of(wanted, _DATE_KEY)), time_range(text_of(wanted, _TIME_KEY))
    low = dates.low and dates.low + (times.low or "0" * 12)
    high = dates.high and dates.high + (times.high or "9" * 12)
    return Range(low, high).holds(text_of(step, _DATE_KEY) + comparable_time(text_of(step, _TIME_KEY)))
