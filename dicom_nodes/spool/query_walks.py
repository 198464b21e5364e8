"""Which index answers a query: the walks through the catalogue, the most telling key first.

A walk is a part of one index read in its order, page by page; the next page begins behind the last row of the one
before. So the database never sorts, and holds nothing open, however long the answer. Keys that do not choose the walk
are compared on the way; `WITHOUT_INDEX` says which never choose it, and why.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, true

from dicom_nodes.model.query import QueryLevel
from dicom_nodes.rules.query_identifier import CheckedQuery
from dicom_nodes.rules.query_matching import Matching, Range, date_range, has_wildcard, is_universal, values_of
from dicom_nodes.spool.query_conditions import in_range, is_prefix_pattern, literal_prefix, starts_with
from dicom_nodes.spool.search_entries import LONGEST_NAME_ENTRY, modality_entries, name_entries
from dicom_nodes.spool.tables import (
    instance,
    instance_kind,
    patient_id_text,
    patient_issuer_text,
    series,
    study,
    study_modality,
    study_name,
)

WITHOUT_INDEX: Mapping[str, str] = {
    "a wildcard before the first character": "an index finds what text begins with",
    "IssuerOfPatientID, IssuerOfAccessionNumberSequence": "one issuer is a whole trust; asked for with an id or number",
    "PatientSex, PatientAge, PatientSize, PatientWeight, PatientBirthTime, PatientComments": "tell few studies apart",
    "StudyTime": "asked for with a date; matched by the rules, because 10 and 1000 and 100000 are one time",
    "StudyID, StudyDescription": "written by hand and differently everywhere; asked for with a date",
    "ReferringPhysicianName, NameOfPhysiciansReadingStudy, SOPClassesInStudy": "rarely asked for without a date",
    "keys of series and images": "asked for under a study; relational queries by them alone read what is above",
}
"""Keys that are compared with every study which the other keys leave; with none of those, with all (in windows)."""

_SHORT_TIME_DAYS = 7
"""A range of dates no longer than this tells more than the beginning of a name."""
_UIDS_AT_A_TIME = 200
WINDOW_KEYS = 20_000
"""Study keys that one walk without an index covers, so that a cancelled query ends soon."""

Position = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Walk:
    """A part of an index to read. `order` is the index's order and unique; `covered` keys are wholly met by it.

    With `fixed`, the condition leaves the first of `order` one value. A study may be met in several walks, or under
    several entries of one: `takes`, given a row's `present` columns, says where it counts.
    """

    source: FromClause
    order: tuple[Any, ...]
    condition: ColumnElement[bool]
    covered: frozenset[str] = frozenset()
    fixed: bool = False
    present: tuple[Any, ...] = ()
    takes: Callable[[Position], bool] | None = None


Rule = Callable[[CheckedQuery], Sequence[Walk]]


def walks(query: CheckedQuery, last_study_key: Callable[[], int]) -> Iterator[Walk]:
    """The walks that together lead past everything a query can match, one after the other."""
    found = _lower_walks(query) or next((made for rule in _RULES if (made := rule(query))), ())
    if query.level is QueryLevel.PATIENT and not found:
        found = [Walk(study, (patient_id_text, patient_issuer_text, study.c.study_key), true())]
    for walk in found or _windows(last_study_key):
        yield _without_fixed(_down_to(query.level, walk))


def is_by_patient(walk: Walk) -> bool:
    """Whether the studies of one patient follow each other."""
    return any(column is patient_issuer_text for column in walk.order)


def _lower_walks(query: CheckedQuery) -> Sequence[Walk]:
    """Walks of relational queries that begin at an instance or a series, where no study is named."""
    if _text(query, "StudyInstanceUID"):
        return ()
    kind = instance.join(instance_kind, instance_kind.c.kind_key == instance.c.kind_key)
    of_study = series.c.study_instance_uid == study.c.study_instance_uid
    if query.level is QueryLevel.IMAGE and _text(query, "SOPInstanceUID"):
        source = kind.join(series, series.c.series_key == instance.c.series_key).join(study, of_study)
        return _uid_walks(query, "SOPInstanceUID", source, instance.c.sop_instance_uid, ())
    if query.level in {QueryLevel.SERIES, QueryLevel.IMAGE} and _text(query, "SeriesInstanceUID"):
        source = series.join(study, of_study)
        return _uid_walks(query, "SeriesInstanceUID", source, series.c.series_instance_uid, (series.c.series_key,))
    return ()


def _down_to(level: QueryLevel, walk: Walk) -> Walk:
    """The walk, continued to the level's own rows."""
    if level in {QueryLevel.PATIENT, QueryLevel.STUDY} or instance.c.sop_instance_uid in set(walk.order):
        return walk
    if series.c.series_key not in set(walk.order):
        below = walk.source.join(series, series.c.study_instance_uid == study.c.study_instance_uid)
        walk = replace(walk, source=below, order=(*walk.order, series.c.series_instance_uid))
    if level is QueryLevel.SERIES:
        return walk
    below = walk.source.join(instance, instance.c.series_key == series.c.series_key)
    below = below.join(instance_kind, instance_kind.c.kind_key == instance.c.kind_key)
    return replace(walk, source=below, order=(*walk.order, instance.c.sop_instance_uid))


def _without_fixed(walk: Walk) -> Walk:
    """Ordered by what varies: databases do not see that the rest needs no sorting."""
    return replace(walk, order=walk.order[1:]) if walk.fixed and len(walk.order) > 1 else walk


def _uid_walks(
    query: CheckedQuery, keyword: str, source: FromClause, column: Any, more: tuple[Any, ...]
) -> Sequence[Walk]:
    if not _text(query, keyword):
        return ()
    uids = sorted(values_of(Matching.UID, _text(query, keyword)))
    covered = frozenset({keyword})
    if len(uids) == 1:
        return [Walk(source, (column, *more), column == uids[0], covered, fixed=True)]
    chunks = [uids[at : at + _UIDS_AT_A_TIME] for at in range(0, len(uids), _UIDS_AT_A_TIME)]
    return [Walk(source, (column, *more), column.in_(chunk), covered) for chunk in chunks]


def _value_walks(
    query: CheckedQuery, keyword: str, column: Any, more: tuple[Any, ...] = (), *, exact: bool
) -> Sequence[Walk]:
    """Walks by the values, or the beginnings of values, that a text key names."""
    patterns = _patterns(query, keyword, exact=exact)
    spans = [_Span(pattern) for pattern in patterns]
    covered = frozenset({keyword} if all(is_prefix_pattern(pattern) for pattern in patterns) else ())
    order = (column, *more, study.c.study_key)
    if len(spans) == 1:
        return [Walk(study, order, spans[0].condition(column), covered, fixed=exact)]
    return [
        Walk(study, order, span.condition(column), covered, exact, (column,), partial(_takes_value, spans, rank))
        for rank, span in enumerate(spans)
    ]


def _name_walks(query: CheckedQuery, *, exact: bool) -> Sequence[Walk]:
    spans = [_NameSpan(pattern) for pattern in _patterns(query, "PatientName", exact=exact)]
    source = study_name.join(study, study.c.study_key == study_name.c.study_key)
    order = (study_name.c.folded, study_name.c.study_key)
    present = (study_name.c.folded, study.c.patient_name_folded)
    covered = frozenset({"PatientName"})
    return [
        Walk(source, order, span.condition(order[0]), covered, exact, present, partial(_takes_name, spans, rank))
        for rank, span in enumerate(spans)
    ]


def _modality_walks(query: CheckedQuery) -> Sequence[Walk]:
    """By modality and date; without a date, by modality alone."""
    patterns = _patterns(query, "ModalitiesInStudy", exact=True)
    bounds = _dates(query, "StudyDate")
    dated = study_modality.c.study_date
    dates = in_range(dated, bounds.low or "0", bounds.high) if bounds else true()
    source = study_modality.join(study, study.c.study_key == study_modality.c.study_key)
    covered = frozenset({"ModalitiesInStudy", *(["StudyDate"] if bounds else [])})
    return [
        Walk(
            source,
            (study_modality.c.modality, dated, study_modality.c.study_key),
            and_(study_modality.c.modality == pattern, dates),
            covered,
            fixed=True,
            present=(dated, study.c.study_date, study.c.modalities),
            takes=partial(_takes_modality, patterns, rank),
        )
        for rank, pattern in enumerate(patterns)
    ]


def _date_walks(query: CheckedQuery, keyword: str, column: Any, longest_days: int | None) -> Sequence[Walk]:
    bounds = _dates(query, keyword)
    if bounds is None or (longest_days is not None and not _is_within(bounds, longest_days)):
        return ()
    condition = in_range(column, bounds.low, bounds.high)
    return [Walk(study, (column, study.c.study_key), condition, frozenset({keyword}))]


def _short_time_walks(query: CheckedQuery) -> Sequence[Walk]:
    if not _date_walks(query, "StudyDate", study.c.study_date, _SHORT_TIME_DAYS):
        return ()
    return _modality_walks(query) or _date_walks(query, "StudyDate", study.c.study_date, _SHORT_TIME_DAYS)


def _windows(last_study_key: Callable[[], int]) -> Iterator[Walk]:
    """Every study, in the order they came, in parts of a bounded size."""
    key = study.c.study_key
    for low in range(0, last_study_key() + 1, WINDOW_KEYS):
        yield Walk(study, (key,), and_(key >= low, key < low + WINDOW_KEYS))


_RULES: Sequence[Rule] = (
    lambda query: _uid_walks(query, "StudyInstanceUID", study, study.c.study_instance_uid, ()),
    lambda query: _value_walks(query, "PatientID", patient_id_text, (patient_issuer_text,), exact=True),
    lambda query: _value_walks(query, "AccessionNumber", study.c.accession_number, exact=True),
    lambda query: _value_walks(query, "OtherPatientIDsSequence.PatientID", study.c.nhs_number, exact=True),
    lambda query: _value_walks(query, "OtherPatientIDs", study.c.nhs_number, exact=True),
    lambda query: _date_walks(query, "PatientBirthDate", study.c.patient_birth_date, 1),
    lambda query: _name_walks(query, exact=True),
    _short_time_walks,
    lambda query: _value_walks(query, "PatientID", patient_id_text, (patient_issuer_text,), exact=False),
    lambda query: _value_walks(query, "AccessionNumber", study.c.accession_number, exact=False),
    lambda query: _value_walks(query, "OtherPatientIDsSequence.PatientID", study.c.nhs_number, exact=False),
    lambda query: _value_walks(query, "OtherPatientIDs", study.c.nhs_number, exact=False),
    lambda query: _name_walks(query, exact=False),
    lambda query: _modality_walks(query) if _dates(query, "StudyDate") else (),
    lambda query: _date_walks(query, "StudyDate", study.c.study_date, None),
    lambda query: _date_walks(query, "PatientBirthDate", study.c.patient_birth_date, None),
    _modality_walks,
)
"""The first that has a walk is taken; the order is from what leaves few studies to what leaves many."""


class _Span:
    """The part of an index that a text pattern can match."""

    def __init__(self, pattern: str) -> None:
        self._prefix, self._is_exact = literal_prefix(pattern), not has_wildcard(pattern)

    def condition(self, column: Any) -> ColumnElement[bool]:
        return column == self._prefix if self._is_exact else starts_with(column, self._prefix)

    def holds(self, text: str) -> bool:
        return text == self._prefix if self._is_exact else text.startswith(self._prefix)


class _NameSpan(_Span):
    """The same of folded names; an entry may be cut, and lack empty components that the pattern names."""

    def __init__(self, pattern: str) -> None:
        super().__init__(pattern)
        self._prefix = self._prefix.rstrip("^ ")[:LONGEST_NAME_ENTRY]


def _takes_value(spans: Sequence[_Span], rank: int, present: Position) -> bool:
    """Under the first alternative that holds the value."""
    return rank == next(number for number, span in enumerate(spans) if span.holds(present[0]))


def _takes_name(spans: Sequence[_Span], rank: int, present: Position) -> bool:
    """Under the first alternative that holds an entry of the name, and the first such entry."""
    entry, folded = present
    return (rank, entry) == _first(spans, name_entries(folded))


def _takes_modality(modalities: Sequence[str], rank: int, present: Position) -> bool:
    """Under the first alternative that the study has now, and the date it has now."""
    entry_date, study_date, text = present
    here = modality_entries(text)
    first = next((number for number, modality in enumerate(modalities) if modality in here), None)
    return rank == first and entry_date == (study_date or "")


def _first(spans: Sequence[_Span], entries: Sequence[str]) -> tuple[int, str] | None:
    return next(((rank, entry) for rank, span in enumerate(spans) for entry in entries if span.holds(entry)), None)


def _text(query: CheckedQuery, keyword: str) -> str:
    """The key's text, empty where it is no key or matches everything."""
    if keyword not in query.keys:
        return ""
    text = query.keys[keyword][1]
    return "" if is_universal(query.matching(keyword), text) else text


def _patterns(query: CheckedQuery, keyword: str, *, exact: bool) -> tuple[str, ...]:
    """The alternatives of a key, if an index has a beginning to look for in each (with `exact`, the whole)."""
    text = _text(query, keyword)
    patterns = values_of(query.matching(keyword), text) if text else ()
    fit = all(not has_wildcard(pattern) if exact else literal_prefix(pattern).rstrip("^ ") for pattern in patterns)
    return patterns if fit and all(patterns) else ()


def _dates(query: CheckedQuery, keyword: str) -> Range | None:
    text = _text(query, keyword)
    return date_range(text) if text else None


def _is_within(bounds: Range, days: int) -> bool:
    try:
        low, high = (date.fromisoformat(bound or "") for bound in (bounds.low, bounds.high))
    except ValueError:
        return False
    return (high - low).days < days
