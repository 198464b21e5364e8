"""Which identifiers an information model allows (DICOM PS3.4 C.4.1.2, C.4.2.2.1)."""

import pytest

from dicom_nodes.model.errors import IdentifierMismatch
from dicom_nodes.model.query import Query, QueryLevel, QueryRoot
from dicom_nodes.rules.query_identifier import MOST_TEXTS, MOST_UIDS, RetrieveSelection, check_query, check_retrieve

PATIENT, STUDY, SERIES, IMAGE = QueryLevel


@pytest.mark.parametrize(
    ("root", "level", "keys"),
    [
        (QueryRoot.STUDY, STUDY, {}),
        (QueryRoot.STUDY, STUDY, {"PatientName": "A*"}),
        (QueryRoot.STUDY, SERIES, {"StudyInstanceUID": "1.2"}),
        (QueryRoot.STUDY, IMAGE, {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3"}),
        (QueryRoot.PATIENT, PATIENT, {"PatientID": "*"}),
        (QueryRoot.PATIENT, STUDY, {"PatientID": "1234"}),
    ],
)
def test_query_with_the_unique_keys_above_its_level_is_allowed(
    root: QueryRoot, level: QueryLevel, keys: dict[str, str]
) -> None:
    assert check_query(Query(root, level, keys)).complete


@pytest.mark.parametrize(
    ("root", "level", "keys"),
    [
        (QueryRoot.STUDY, PATIENT, {"PatientID": "1234"}),
        (QueryRoot.STUDY, SERIES, {}),
        (QueryRoot.STUDY, SERIES, {"StudyInstanceUID": ""}),
        (QueryRoot.STUDY, SERIES, {"StudyInstanceUID": "1.2\\1.3"}),
        (QueryRoot.STUDY, IMAGE, {"SeriesInstanceUID": "1.3"}),
        (QueryRoot.PATIENT, STUDY, {}),
        (QueryRoot.PATIENT, STUDY, {"PatientID": "12*"}),
        (QueryRoot.STUDY, STUDY, {"StudyDate": "2026"}),
    ],
)
def test_query_that_breaks_the_hierarchy_or_a_form_is_refused(
    root: QueryRoot, level: QueryLevel, keys: dict[str, str]
) -> None:
    with pytest.raises(IdentifierMismatch):
        check_query(Query(root, level, keys))


def test_relational_query_needs_no_unique_keys_above() -> None:
    query = Query(QueryRoot.STUDY, SERIES, {"Modality": "CT"}, relational=True)

    assert check_query(query).keys["Modality"] == (SERIES, "CT")


@pytest.mark.parametrize("keys", [{"Modality": "CT"}, {"PatientMotherBirthName": ""}])
def test_key_of_a_lower_level_or_unknown_to_us_makes_the_query_incomplete(keys: dict[str, str]) -> None:
    checked = check_query(Query(QueryRoot.STUDY, STUDY, keys))

    assert not checked.complete
    assert not checked.keys


def test_sequence_key_makes_the_query_incomplete() -> None:
    assert not check_query(Query(QueryRoot.STUDY, STUDY, {}, other_keys=1)).complete


def test_retrieve_takes_lists_of_uids_at_its_own_level() -> None:
    keys = {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3\\1.4", "Modality": ""}

    selection = check_retrieve(Query(QueryRoot.STUDY, SERIES, keys))

    assert selection == RetrieveSelection(study_instance_uids=("1.2",), series_instance_uids=("1.3", "1.4"))


def test_retrieve_by_patient_takes_the_issuer_with_the_id() -> None:
    keys = {"PatientID": "1234", "IssuerOfPatientID": "RXN"}

    assert check_retrieve(Query(QueryRoot.PATIENT, PATIENT, keys)) == RetrieveSelection("1234", "RXN")


@pytest.mark.parametrize(
    ("root", "level", "keys"),
    [
        (QueryRoot.STUDY, STUDY, {}),
        (QueryRoot.STUDY, STUDY, {"StudyInstanceUID": "*"}),
        (QueryRoot.STUDY, SERIES, {"SeriesInstanceUID": "1.3"}),
        (QueryRoot.STUDY, IMAGE, {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3\\1.4", "SOPInstanceUID": "1.5"}),
        (QueryRoot.PATIENT, PATIENT, {"PatientID": "1\\2"}),
        (QueryRoot.STUDY, PATIENT, {"PatientID": "1"}),
    ],
)
def test_retrieve_that_could_mean_more_than_it_says_is_refused(
    root: QueryRoot, level: QueryLevel, keys: dict[str, str]
) -> None:
    with pytest.raises(IdentifierMismatch):
        check_retrieve(Query(root, level, keys))


def test_empty_sequence_asks_for_all_that_is_known_of_it() -> None:
    checked = check_query(Query(QueryRoot.STUDY, STUDY, {"IssuerOfAccessionNumberSequence": ""}))

    assert checked.complete
    assert {keyword.partition(".")[2] for keyword in checked.keys} == {
        "LocalNamespaceEntityID", "UniversalEntityID", "UniversalEntityIDType",
    }  # fmt: skip


def test_either_form_of_an_accession_issuer_names_it() -> None:
    sequence = "IssuerOfAccessionNumberSequence"
    keys = {f"{sequence}.LocalNamespaceEntityID": "RXN", f"{sequence}.UniversalEntityID": "1.2.3"}

    checked = check_query(Query(QueryRoot.STUDY, STUDY, keys))

    assert {text for _, text in checked.keys.values()} == {"RXN\\1.2.3"}


@pytest.mark.parametrize(("issuer", "complete"), [("NHS", True), ("", True), ("nhsnbr", True), ("RXL", False)])
def test_other_patient_id_of_an_issuer_that_is_not_kept_is_unsupported_not_unmatched(
    issuer: str, complete: bool
) -> None:
    sequence = "OtherPatientIDsSequence"
    keys = {f"{sequence}.PatientID": "999 000 0018", f"{sequence}.IssuerOfPatientID": issuer}

    checked = check_query(Query(QueryRoot.STUDY, STUDY, keys))

    assert checked.complete is complete
    assert checked.keys[f"{sequence}.PatientID"][1] == ("9990000018" if complete else "")


@pytest.mark.parametrize("keyword", ["OtherPatientIDs", "OtherPatientIDsSequence.PatientID"])
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("999 000 0018", "9990000018"),
        ("999-000-0018", "9990000018"),
        ("9990000018\\9990000026", "9990000018\\9990000026"),
        ("111", None),
        ("9990000019", None),
        ("999*", None),
        ("9990000018\\111", None),
    ],
)
def test_other_patient_id_that_is_no_nhs_number_is_unsupported_not_unmatched(
    keyword: str, text: str, kept: str | None
) -> None:
    checked = check_query(Query(QueryRoot.STUDY, STUDY, {keyword: text}))

    assert (checked.complete, checked.keys[keyword][1]) == (kept is not None, kept or "")


def _listed(count: int) -> str:
    return "\\".join(f"1.2.{number}" for number in range(count))


def test_a_list_of_uids_no_statement_can_hold_is_refused_in_words() -> None:
    check_query(Query(QueryRoot.STUDY, STUDY, {"StudyInstanceUID": _listed(MOST_UIDS)}))
    query = Query(QueryRoot.STUDY, STUDY, {"StudyInstanceUID": _listed(MOST_UIDS + 1)})

    for check in (check_query, check_retrieve):
        with pytest.raises(IdentifierMismatch, match="20001 UIDs are listed, at most 20000 may be"):
            check(query)


def test_uids_of_all_keys_count_together() -> None:
    keys = {"StudyInstanceUID": _listed(MOST_UIDS // 2), "SeriesInstanceUID": _listed(MOST_UIDS // 2 + 1)}

    with pytest.raises(IdentifierMismatch, match="20001 UIDs"):
        check_query(Query(QueryRoot.STUDY, SERIES, keys, relational=True))


def test_a_list_of_texts_that_nobody_means_is_refused_in_words() -> None:
    with pytest.raises(IdentifierMismatch, match="1001 values are listed"):
        check_query(Query(QueryRoot.STUDY, STUDY, {"AccessionNumber": _listed(MOST_TEXTS + 1)}))
