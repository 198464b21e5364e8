"""Whatever is asked, SQL with its indexes, walks and pages answers what the rules of matching say of every row."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from dicom_nodes.foundation.database import Database, open_database
from dicom_nodes.model.query import Query, QueryLevel, QueryRoot
from dicom_nodes.rules.query_identifier import MOST_TEXTS, MOST_UIDS, CheckedQuery, check_query, check_retrieve
from dicom_nodes.spool import query_walks, study_query, tables
from dicom_nodes.spool.catalogue_rows import folded
from dicom_nodes.spool.search_entries import index_studies
from dicom_nodes.spool.study_query import StudyQuery
from tests.peers.postgresql import fresh_database

FAMILIES = (
    "Smith", "smith", "Łukasz", "Siân", "O\u2019Brien", "Sm_th", "Sm%th", "Straße", "", "A", "ﬁeld", "Ⅷ", "Ǿ", "İsmet",
    "Ab\\cd", "Smith \\Jones", "X" * 130, "山田", "M<FC>ller", "SMITH ",
)  # fmt: skip
GIVEN = ("John", "Jöhn", "", "A B", "J?", "J*n", " Z", "J\\Smith")
IDS = ("1", "12", "A_1", "A%1", "a1", "A1", None, "1 2", "é1", "x\\y", "x", "12<E9>45")
KEYS = {
    "PatientID": (
        "1", "1*", "*1", "?1", "A_1", "A%*", "A_*", "1\\12", "1*\\12", "a1", "A?1", "*", "é*", "1 2", "x\\y", "y",
        "x", "x*", "x?y", "12<E9>45", "12\\45", "%", "_", "\\", "1\\",
    ),
    "PatientName": (
        "Smith", "smith*", "SMITH^J*", "Smith^*", "*^John", "Sm_th*", "Sm%*", "Sian*", "Łuk*", "lukasz", "Strasse*",
        "?mith*", "A\\Smith*", "Smith*\\smith^j*", "山田*", "Yamada*", "=山田*", "^John", "fi*", "viii", "O*",
        "o'brien*", "^", "\\", "Smith\\", "=",
        "ismet*", "X" * 130, "X" * 125 + "*", "Smith^^", "Smith=*", "J\\*", "jones", "cd", "ab\\cd", "M<FC>ller*", "^*",
    ),
    "ModalitiesInStudy": ("CT", "SR", "CT\\SR", "C?", "C_", "*", "ct", "\\CT"),
    "StudyDate": ("20260101", "20260101-", "-20260101", "20251231-20260101", "20250101-20261231"),
    "PatientBirthDate": ("19700101", "-19700101", "19700101-"),
    "AccessionNumber": ("AC1", "AC*", "A?", "A_", "A*\\AC1", "ac1", "\\".join(f"N{n}" for n in range(150)) + "\\AC2"),
    "IssuerOfPatientID": ("RXN", "R*", "RXN\\RYY"),
    "StudyInstanceUID": ("1.2.7", "\\".join(f"1.2.{n}" for n in range(40)), "1.2.5\\1.2.5\\1.9"),
}  # fmt: skip
TEXTS = st.text("ACJSmith1_%*?^=\\ é<", max_size=6)
QUERIES = st.fixed_dictionaries(
    {},
    optional={keyword: st.sampled_from(texts) for keyword, texts in KEYS.items()}
    | {keyword: st.sampled_from(KEYS[keyword]) | TEXTS for keyword in ("PatientID", "PatientName", "AccessionNumber")},
)
COLUMNS = {
    "PatientID": "patient_id", "PatientName": "patient_name", "ModalitiesInStudy": "modalities",
    "StudyDate": "study_date", "PatientBirthDate": "patient_birth_date", "AccessionNumber": "accession_number",
    "IssuerOfPatientID": "patient_id_issuer", "StudyInstanceUID": "study_instance_uid",
}  # fmt: skip


def _rows() -> list[dict[str, Any]]:
    chance = random.Random(7)

    def row(number: int) -> dict[str, Any]:
        name = "^".join([chance.choice(FAMILIES), chance.choice(GIVEN)][: chance.choice([1, 2, 2])])
        name += chance.choice(["", "", "", "=山田^太郎", "=Yamada^Taro", "==やまだ"])
        return {
            "study_instance_uid": f"1.2.{number}",
            "origin": "RXN",
            "patient_id": chance.choice(IDS),
            "patient_id_issuer": chance.choice(["RXN", "RYY", None]),
            "patient_name": name,
            "patient_name_folded": folded(name),
            "modalities": chance.choice(["\\CT\\", "\\CT\\SR\\", "\\MR\\", "\\C_\\", "\\CTX\\", ""]),
            "attributes": {},
            "sending_ae_title": "CT",
            "last_arrival": datetime(2026, 1, 1, tzinfo=UTC),
            "study_date": chance.choice(["20260101", "20260102", "20251231", None, "2026010", "abc"]),
            "patient_birth_date": chance.choice(["19700101", None, "19700102"]),
            "accession_number": chance.choice(["AC1", "AC2", "ac1", None, "A?", "A_", "A*\\AC1"]),
        }

    return [row(number) for number in range(120)]


ROWS = _rows()


@pytest.fixture(scope="module", autouse=True)
def _small_pages() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study_query, "FIRST_PAGE_ROWS", 3)
        patch.setattr(study_query, "PAGE_ROWS", 5)
        patch.setattr(query_walks, "WINDOW_KEYS", 25)
        patch.setattr(query_walks, "_UIDS_AT_A_TIME", 20)
        yield


@pytest.fixture(scope="module")
def on_sqlite() -> Iterator[Database]:
    yield from _filled("sqlite://")


@pytest.fixture(scope="module")
def on_postgresql(postgresql_server: str) -> Iterator[Database]:
    yield from _filled(fresh_database(postgresql_server))


def _filled(url: str) -> Iterator[Database]:
    database = open_database(url)
    tables.metadata.create_all(database.engine)
    with database.write() as connection:
        connection.execute(insert(tables.study), ROWS)
        index_studies(connection, [row["study_instance_uid"] for row in ROWS])
    yield database
    database.dispose()


def checked(keys: dict[str, str]) -> CheckedQuery:
    return check_query(Query(QueryRoot.STUDY, QueryLevel.STUDY, {"StudyInstanceUID": ""} | keys))


def by_rules(query: CheckedQuery) -> list[str]:
    tests = [(COLUMNS[keyword], test) for keyword in query.keys if (test := query.test(keyword)) is not None]
    return sorted(
        row["study_instance_uid"]
        for row in ROWS
        if all(test((row[column] or "").strip("\\" if column == "modalities" else "")) for column, test in tests)
    )


def found(database: Database, query: CheckedQuery) -> list[str]:
    return sorted(match["StudyInstanceUID"] for match in StudyQuery(database).find(query))


@settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(keys=QUERIES)
def test_sqlite_answers_what_the_rules_say(on_sqlite: Database, keys: dict[str, str]) -> None:
    query = checked(keys)

    assert found(on_sqlite, query) == by_rules(query)


@pytest.mark.peers("postgresql")
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys=QUERIES)
def test_postgresql_answers_what_the_rules_say(on_postgresql: Database, keys: dict[str, str]) -> None:
    query = checked(keys)

    assert found(on_postgresql, query) == by_rules(query)


@pytest.mark.parametrize(("keyword", "text"), [(keyword, text) for keyword in KEYS for text in KEYS[keyword]])
def test_each_shape_alone_is_answered_as_the_rules_say(on_sqlite: Database, keyword: str, text: str) -> None:
    query = checked({keyword: text})

    assert found(on_sqlite, query) == by_rules(query)


def uids(count: int) -> str:
    return "\\".join(f"1.2.{number}" for number in range(count))


@pytest.mark.peers("postgresql")
@pytest.mark.parametrize("name", ["on_sqlite", "on_postgresql"])
def test_the_longest_lists_are_answered(name: str, request: pytest.FixtureRequest) -> None:
    """Of UIDs whose key does not choose the walk; of texts, as alternatives in one statement."""
    database = request.getfixturevalue(name)
    texts = "\\".join(f"N{number}*" for number in range(MOST_TEXTS // 2 - 1)) + "\\AC1"
    for keys in (
        {"AccessionNumber": texts, "PatientID": "12"},
        {"PatientName": texts + "\\Smith*", "PatientID": "12"},
        {"StudyInstanceUID": uids(MOST_UIDS)},
    ):
        query = checked(keys)
        assert found(database, query) == by_rules(query)
    below = {"StudyInstanceUID": "1.2.7", "SeriesInstanceUID": uids(MOST_UIDS - 1)}
    series = check_query(Query(QueryRoot.STUDY, QueryLevel.SERIES, below))
    assert list(StudyQuery(database).find(series)) == []
    selection = check_retrieve(Query(QueryRoot.STUDY, QueryLevel.STUDY, {"StudyInstanceUID": uids(MOST_UIDS)}))
    assert len(selection.study_instance_uids) == MOST_UIDS
    assert list(StudyQuery(database).select(selection)) == []


@pytest.mark.parametrize(
    ("keys", "ids"),
    [
        ({"PatientID": "12"}, {"12"}),
        ({"PatientID": "12\\45"}, {"12"}),
        ({"PatientID": "y"}, set()),
        ({"PatientID": "x"}, {"x"}),
        ({"PatientID": "x\\y"}, {"x", "x\\y"}),
        ({"PatientID": "12<E9>45"}, {"12<E9>45"}),
        ({"PatientID": "A_1"}, {"A_1"}),
    ],
)
def test_a_patient_id_is_never_part_of_anothers(on_sqlite: Database, keys: dict[str, str], ids: set[str]) -> None:
    assert _column(found(on_sqlite, checked(keys)), "patient_id") == ids


def test_a_name_is_found_by_either_of_its_values_and_by_its_own_text(on_sqlite: Database) -> None:
    for text in ("Jones", "Smith \\Jones", "jones*"):
        names = _column(found(on_sqlite, checked({"PatientName": text})), "patient_name")
        assert any("\\Jones" in name for name in names), text


def test_a_name_in_undeclared_bytes_is_found_by_itself(on_sqlite: Database) -> None:
    names = _column(found(on_sqlite, checked({"PatientName": "M<FC>ller*"})), "patient_name")
    assert {name[:9] for name in names} == {"M<FC>ller"}


def _column(uids: Sequence[str], column: str) -> set[str]:
    return {row[column] for row in ROWS if row["study_instance_uid"] in uids}
