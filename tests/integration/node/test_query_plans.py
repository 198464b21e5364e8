"""Every query shape of practice is answered by a search of one index: no scan, no sort, on either database.

The statements are those that a query really sends, caught on their way, and explained by the database itself.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from dicom_nodes.foundation.database import Database, open_database
from dicom_nodes.model.query import Query, QueryLevel, QueryRoot
from dicom_nodes.rules.query_identifier import RetrieveSelection, check_query
from dicom_nodes.spool import study_query, tables
from dicom_nodes.spool.study_query import StudyQuery
from readacross.bench.catalogue_filling import fill_catalogue
from readacross.bench.synthetic_studies import synthetic_study
from tests.peers.postgresql import fresh_database

PATIENT, STUDY, SERIES, IMAGE = QueryLevel
STUDIES = 2_000
A = synthetic_study(40, STUDIES)
B = synthetic_study(80, STUDIES)
FAMILY = A.patient_name.partition("^")[0]

SHAPES: list[tuple[str, QueryLevel, dict[str, str], str]] = [
    ("patient id", STUDY, {"PatientID": A.patient_id}, "ix_study_patient"),
    ("patient id and issuer", STUDY, {"PatientID": A.patient_id, "IssuerOfPatientID": A.issuer}, "ix_study_patient"),
    ("patient ids", STUDY, {"PatientID": f"{A.patient_id}\\{B.patient_id}"}, "ix_study_patient"),
    ("start of patient id", STUDY, {"PatientID": "400*"}, "ix_study_patient"),
    ("start and end of patient id", STUDY, {"PatientID": f"{A.patient_id[:5]}*{A.patient_id[-1]}"}, "ix_study_patient"),
    ("patient id at patient level", PATIENT, {"PatientID": A.patient_id}, "ix_study_patient"),
    ("all patients", PATIENT, {"PatientID": ""}, "ix_study_patient"),
    ("other patient id", STUDY, {"OtherPatientIDs": A.nhs_number or ""}, "ix_study_nhs_number"),
    ("NHS number", STUDY, {"OtherPatientIDsSequence.PatientID": A.nhs_number or ""}, "ix_study_nhs_number"),
    ("accession", STUDY, {"AccessionNumber": A.accession_number}, "ix_study_accession"),
    ("start of accession", STUDY, {"AccessionNumber": "RXN2*"}, "ix_study_accession"),
    ("study uid", STUDY, {"StudyInstanceUID": A.study_instance_uid}, "study_instance_uid"),
    ("name", STUDY, {"PatientName": A.patient_name}, "study_name"),
    ("start of name", STUDY, {"PatientName": f"{FAMILY}*"}, "study_name"),
    ("start of many names", STUDY, {"PatientName": "H*"}, "study_name"),
    ("names with no given name", STUDY, {"PatientName": f"{FAMILY}^*"}, "study_name"),
    ("names at patient level", PATIENT, {"PatientName": f"{FAMILY}*", "PatientID": ""}, "study_name"),
    ("birth date", STUDY, {"PatientBirthDate": f"{A.birth_date:%Y%m%d}"}, "ix_study_birth_date"),
    (
        "start of name and birth date",
        STUDY,
        {"PatientName": f"{FAMILY}*", "PatientBirthDate": f"{A.birth_date:%Y%m%d}"},
        "ix_study_birth_date",
    ),
    ("birth dates", STUDY, {"PatientBirthDate": "19500101-19691231"}, "ix_study_birth_date"),
    ("date", STUDY, {"StudyDate": A.study_date}, "ix_study_date"),
    ("dates", STUDY, {"StudyDate": "20230101-20251231"}, "ix_study_date"),
    ("dates and a time", STUDY, {"StudyDate": "20230101-", "StudyTime": "0900-1200"}, "ix_study_date"),
    ("date and modality", STUDY, {"StudyDate": A.study_date, "ModalitiesInStudy": A.modalities[0]}, "study_modality"),
    ("dates and modality", STUDY, {"StudyDate": "20200101-", "ModalitiesInStudy": "DX"}, "study_modality"),
    ("dates and modalities", STUDY, {"StudyDate": "20200101-", "ModalitiesInStudy": "CT\\MR"}, "study_modality"),
    ("modality", STUDY, {"ModalitiesInStudy": "DX"}, "study_modality"),
    ("date, modality and name", STUDY, {"StudyDate": A.study_date, "PatientName": f"{FAMILY}*"}, "ix_study_date"),
    ("everything", STUDY, {"StudyInstanceUID": ""}, "study_pkey"),
    (
        "a series",
        SERIES,
        {"StudyInstanceUID": A.study_instance_uid, "SeriesInstanceUID": A.series_instance_uid(0)},
        "ix_series_",
    ),
]  # fmt: skip
SMALL_SORTS: list[tuple[str, QueryLevel, dict[str, str], str]] = [
    ("series of a study", SERIES, {"StudyInstanceUID": A.study_instance_uid}, "ix_series_"),
    (
        "a modality's series of a study",
        SERIES,
        {"StudyInstanceUID": A.study_instance_uid, "Modality": A.series[0][0]},
        "ix_series_",
    ),
    (
        "images of a series",
        IMAGE,
        {"StudyInstanceUID": A.study_instance_uid, "SeriesInstanceUID": A.series_instance_uid(0)},
        "ix_instance_series",
    ),
    (
        "study uids",
        STUDY,
        {"StudyInstanceUID": f"{A.study_instance_uid}\\{B.study_instance_uid}"},
        "study_instance_uid",
    ),
    ("any study's series by uid", SERIES, {"SeriesInstanceUID": A.series_instance_uid(0)}, "ix_series_uid"),
    ("any series' image by uid", IMAGE, {"SOPInstanceUID": f"{A.series_instance_uid(0)}.1"}, "instance"),
    ("any study's series of a patient", SERIES, {"PatientID": A.patient_id}, "ix_series_"),
]
"""Searched by index too; a study's series, a series' images, or 200 UIDs may be sorted: an index costs more."""


@pytest.fixture(scope="module")
def databases(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[str, Database]]:
    urls = {
        "sqlite": f"sqlite:///{tmp_path_factory.mktemp('plans') / 'n.db'}",
        "postgresql": fresh_database(request.getfixturevalue("postgresql_server")),
    }
    opened = {name: open_database(url) for name, url in urls.items()}
    for database in opened.values():
        tables.metadata.create_all(database.engine)
        fill_catalogue(database, STUDIES, every_nth_with_instances=40)
    yield opened
    for database in opened.values():
        database.dispose()


@contextmanager
def caught(database: Database) -> Iterator[list[tuple[str, Any, bool]]]:
    """The (statement, parameters, was compiled before) of every SELECT inside."""
    statements: list[tuple[str, Any, bool]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, context: Any, _many: bool) -> None:
        if statement.startswith("SELECT"):
            statements.append((statement, parameters, context.cache_hit.name == "CACHE_HIT"))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def statements_of(database: Database, level: QueryLevel, keys: dict[str, str]) -> list[tuple[str, Any, bool]]:
    """What a query sends; with pages so small that there is a second."""
    root = QueryRoot.PATIENT if level is PATIENT else QueryRoot.STUDY
    relational = level in {SERIES, IMAGE}
    checked = check_query(Query(root, level, {"PatientName": "", "StudyInstanceUID": "", **keys}, 0, relational))
    with caught(database) as statements:
        assert list(StudyQuery(database).find(checked)), "finds something"
    return statements


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_query, "FIRST_PAGE_ROWS", 1)


def sqlite_plan(database: Database, statement: str, parameters: Any) -> list[str]:
    with database.read() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    return [str(row[3]) for row in rows]


def postgresql_plan(database: Database, statement: str, parameters: Any) -> list[str]:
    """Node types with the index and whether it is searched, on tables too small for an index to pay by itself."""
    with database.read() as connection:
        for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "material"):
            connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        found = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
    plan = found if isinstance(found, list) else json.loads(found)
    return list(_nodes(plan[0]["Plan"]))


def _nodes(node: dict[str, Any]) -> Iterator[str]:
    searched = "searched" if "Index Cond" in node else ""
    yield f"{node['Node Type']} {node.get('Index Name', '')} {searched}"
    for below in node.get("Plans", []):
        yield from _nodes(below)


@pytest.mark.peers("postgresql")
@pytest.mark.parametrize(("level", "keys", "index"), [s[1:] for s in SHAPES], ids=[s[0] for s in SHAPES])
def test_query_searches_an_index_and_sorts_nothing(
    databases: dict[str, Database], level: QueryLevel, keys: dict[str, str], index: str
) -> None:
    for statement, parameters, _ in statements_of(databases["sqlite"], level, keys):
        plan = sqlite_plan(databases["sqlite"], statement, parameters)
        assert not [line for line in plan if "TEMP B-TREE" in line], plan
        assert all(line.startswith("SEARCH") or _is_whole_walk(line, keys) for line in plan), plan
    for statement, parameters, _ in statements_of(databases["postgresql"], level, keys):
        plan = postgresql_plan(databases["postgresql"], statement, parameters)
        assert not [line for line in plan if "Sort" in line or "Seq Scan" in line], plan
        assert any(index in line for line in plan), plan


@pytest.mark.peers("postgresql")
@pytest.mark.parametrize(("level", "keys", "index"), [s[1:] for s in SMALL_SORTS], ids=[s[0] for s in SMALL_SORTS])
def test_query_searches_an_index_and_sorts_at_most_a_series(
    databases: dict[str, Database], level: QueryLevel, keys: dict[str, str], index: str
) -> None:
    for statement, parameters, _ in statements_of(databases["sqlite"], level, keys):
        plan = sqlite_plan(databases["sqlite"], statement, parameters)
        assert all(line.startswith(("SEARCH", "USE TEMP B-TREE")) for line in plan), plan
    for statement, parameters, _ in statements_of(databases["postgresql"], level, keys):
        plan = postgresql_plan(databases["postgresql"], statement, parameters)
        assert not [line for line in plan if "Seq Scan" in line], plan
        assert any(index in line for line in plan), plan


def _is_whole_walk(line: str, keys: dict[str, str]) -> bool:
    """The first page of everybody reads an index from its start; there is nothing to search."""
    return not any(keys.values()) and line.startswith("SCAN") and "USING INDEX ix_study_patient" in line


@pytest.mark.peers("postgresql")
@pytest.mark.parametrize("name", ["sqlite", "postgresql"])
def test_the_same_query_of_another_patient_is_compiled_no_second_time(
    databases: dict[str, Database], name: str
) -> None:
    for patient in (A, B):
        sent = statements_of(databases[name], STUDY, {"PatientID": patient.patient_id, "StudyDate": "20000101-"})

    assert all(hit for _, _, hit in sent)


@pytest.mark.peers("postgresql")
@pytest.mark.parametrize("name", ["sqlite", "postgresql"])
def test_retrieve_searches_its_instances(databases: dict[str, Database], name: str) -> None:
    database = databases[name]
    with caught(database) as statements:
        selected = StudyQuery(database).select(
            RetrieveSelection(A.patient_id, A.issuer, study_instance_uids=(A.study_instance_uid,))
        )

    assert len(selected) == A.instance_count
    for statement, parameters, _ in statements:
        explain = sqlite_plan if name == "sqlite" else postgresql_plan
        plan = explain(database, statement, parameters)
        assert not [line for line in plan if line.startswith(("SCAN", "Seq Scan"))], plan
