"""C-FIND against the catalogue's tables, on SQLite and PostgreSQL, asked by DCMTK and by our own requester."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from dicom_nodes.flows.query import QueryFlow
from dicom_nodes.model.errors import IdentifierMismatch
from dicom_nodes.model.query import Query, QueryLevel, QueryRoot
from dicom_nodes.rules.query_identifier import RetrieveSelection
from dicom_nodes.spool.study_query import StudyQuery
from tests.integration.dimse.node import WireNode, peer, running_node
from tests.peers import dcmtk

PATIENT, STUDY, SERIES, IMAGE = QueryLevel
EXPLICIT = "1.2.840.10008.1.2.1"
CT, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.11"


def data_set(study: int, series: int, number: int, **values: Any) -> bytes:
    """An encoded instance; UIDs say which: study 1, series 1.2, instance 1.2.3 under 1.2.826.0.1."""
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID = CT
    made.StudyInstanceUID = f"1.2.826.0.1.{study}"
    made.SeriesInstanceUID = f"1.2.826.0.1.{study}.{series}"
    made.SOPInstanceUID = f"1.2.826.0.1.{study}.{series}.{number}"
    made.InstanceNumber = number
    made.SeriesNumber = series
    made.Modality = "CT"
    for keyword, value in values.items():
        setattr(made, keyword, value)
    stream = DicomBytesIO()
    stream.is_implicit_VR, stream.is_little_endian = False, True
    write_dataset(stream, made)
    return stream.getvalue()


def fill(node: WireNode) -> None:
    """Five studies of five patients: three whose ids a careless LIKE confuses, and one number in two trusts."""
    people: list[tuple[str, str, dict[str, Any]]] = [
        ("1234", "RXN", {"PatientName": "Ashdown^Ivy", "StudyDate": "20260301", "StudyTime": "093000"}),
        ("_1234", "RXN", {"PatientName": "Łukasz^Jan", "StudyDate": "20260302", "StudyTime": "101500.5"}),
        ("%1234", "RXN", {"PatientName": "O'Brien^Siân", "StudyDate": "20260315", "StudyTime": "235959"}),
        ("x1234", "RXN", {"PatientName": "Twin^One", "StudyDate": "20260401", "AccessionNumber": "ACC_1"}),
        ("x1234", "RXL", {"PatientName": "Twin^Other", "StudyDate": "", "AccessionNumber": "ACC11"}),
    ]
    for study, (patient_id, issuer, values) in enumerate(people, start=1):
        common = {"PatientID": patient_id, "IssuerOfPatientID": issuer, **values}
        for number in (1, 2):
            node.keep(data_set(study, 1, number, SeriesDescription="Thin_slices", **common), EXPLICIT, origin=issuer)
    report = {"PatientID": "1234", "IssuerOfPatientID": "RXN", "PatientName": "Ashdown^Ivy", "Modality": "SR"}
    node.keep(data_set(1, 2, 1, SOPClassUID=SR, **report), EXPLICIT)


@pytest.fixture
def filled(tmp_path: Path, database_url: str) -> Iterator[WireNode]:
    with running_node(tmp_path, database_url, peer("DCMTK"), peer("MUTE", may=["store"])) as node:
        fill(node)
        yield node


def find(node: WireNode, level: QueryLevel, root: QueryRoot = QueryRoot.STUDY, **keys: str) -> list[dict[str, str]]:
    _, matches = QueryFlow(StudyQuery(node.database)).find(Query(root, level, keys))
    return [dict(match) for match in matches]


def studies(node: WireNode, **keys: str) -> list[int]:
    """The numbers of the studies that match, each as often as it was answered."""
    found = find(node, STUDY, **{"StudyInstanceUID": "", **keys})
    return sorted(int(match["StudyInstanceUID"].rpartition(".")[2]) for match in found)


@pytest.mark.peers("postgresql")
@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"PatientID": "1234"}, [1]),
        ({"PatientID": "_1234"}, [2]),
        ({"PatientID": "%1234"}, [3]),
        ({"PatientID": "?1234"}, [2, 3, 4, 5]),
        ({"PatientID": "*1234"}, [1, 2, 3, 4, 5]),
        ({"PatientID": "X1234"}, []),
        ({"PatientID": "X*"}, []),
        ({"PatientID": "x1234", "IssuerOfPatientID": "RXL"}, [5]),
        ({"AccessionNumber": "ACC_1"}, [4]),
        ({"AccessionNumber": "ACC_?"}, [4]),
        ({"PatientName": "lukasz*"}, [2]),
        ({"PatientName": "ŁUKASZ^JAN"}, [2]),
        ({"PatientName": "o'brien^sian"}, [3]),
        ({"PatientName": "Brien*"}, []),
        ({"PatientName": "twin^o*"}, [4, 5]),
        ({"StudyDate": "20260301-20260302"}, [1, 2]),
        ({"StudyDate": "20260315-"}, [3, 4]),
        ({"StudyDate": "-20260301"}, [1]),
        ({"StudyTime": "1000-1100"}, [2]),
        ({"StudyInstanceUID": "1.2.826.0.1.2\\1.2.826.0.1.4\\1.2.3"}, [2, 4]),
        ({"ModalitiesInStudy": "SR"}, [1]),
        ({"ModalitiesInStudy": "CT"}, [1, 2, 3, 4, 5]),
        ({"ModalitiesInStudy": "S?"}, [1]),
        ({"ModalitiesInStudy": "T"}, []),
        ({"PatientName": "'; DROP TABLE study; --"}, []),
    ],
)
def test_study_query_finds_exactly_these(filled: WireNode, keys: dict[str, str], expected: list[int]) -> None:
    assert studies(filled, **keys) == expected


@pytest.mark.peers("postgresql")
def test_answers_count_and_name_what_is_below(filled: WireNode) -> None:
    asked = dict.fromkeys(
        ("ModalitiesInStudy", "SOPClassesInStudy", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"), ""
    )

    (answer,) = find(filled, STUDY, StudyInstanceUID="1.2.826.0.1.1", **asked)

    assert answer["ModalitiesInStudy"] == "CT\\SR"
    assert answer["SOPClassesInStudy"] == f"{CT}\\{SR}"
    assert (answer["NumberOfStudyRelatedSeries"], answer["NumberOfStudyRelatedInstances"]) == ("2", "3")


@pytest.mark.peers("postgresql")
def test_levels_below_answer_their_own_keys(filled: WireNode) -> None:
    series = find(
        filled,
        SERIES,
        StudyInstanceUID="1.2.826.0.1.1",
        Modality="",
        SeriesNumber="",
        NumberOfSeriesRelatedInstances="",
    )
    images = find(
        filled,
        IMAGE,
        StudyInstanceUID="1.2.826.0.1.1",
        SeriesInstanceUID="1.2.826.0.1.1.1",
        InstanceNumber="02",
        SOPInstanceUID="",
    )

    assert [(s["Modality"], s["SeriesNumber"], s["NumberOfSeriesRelatedInstances"]) for s in series] == [
        ("CT", "1", "2"),
        ("SR", "2", "1"),
    ]
    assert [image["SOPInstanceUID"] for image in images] == ["1.2.826.0.1.1.1.2"]


@pytest.mark.peers("postgresql")
def test_same_number_in_two_trusts_is_two_patients(filled: WireNode) -> None:
    patients = find(
        filled,
        PATIENT,
        QueryRoot.PATIENT,
        PatientID="x1234",
        NumberOfPatientRelatedStudies="",
        NumberOfPatientRelatedInstances="",
    )

    assert [(p["IssuerOfPatientID"], p["NumberOfPatientRelatedStudies"]) for p in patients] == [
        ("RXL", "1"),
        ("RXN", "1"),
    ]


@pytest.mark.peers("postgresql")
def test_retrieve_by_a_number_that_two_trusts_use_is_refused_without_its_issuer(filled: WireNode) -> None:
    query = StudyQuery(filled.database)

    with pytest.raises(IdentifierMismatch, match="several issuers"):
        query.select(RetrieveSelection(patient_id="x1234"))

    selected = query.select(RetrieveSelection(patient_id="x1234", patient_id_issuer="RXL"))
    assert {stored.origin for stored in selected} == {"RXL"}
    assert len(selected) == 2


@pytest.mark.peers("postgresql")
def test_closing_a_query_early_gives_its_connection_back(filled: WireNode) -> None:
    for _ in range(60):
        _, matches = QueryFlow(StudyQuery(filled.database)).find(Query(QueryRoot.STUDY, STUDY, {}))
        next(matches)
        matches.close()  # type: ignore[attr-defined]

    assert filled.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[WireNode]:
    with running_node(tmp_path, f"sqlite:///{tmp_path / 'n.db'}", peer("DCMTK"), peer("MUTE", may=["store"])) as node:
        fill(node)
        yield node


@pytest.mark.peers("dcmtk")
def test_findscu_gets_utf8_answers_with_where_to_retrieve_from(on_sqlite: WireNode) -> None:
    keys = ["QueryRetrieveLevel=STUDY", "PatientID=_1234", "PatientName", "StudyDate", "RetrieveAETitle"]

    answer, (match,) = dcmtk.find(dcmtk.Target("NODE", on_sqlite.port), keys)

    assert answer.ok, answer.output
    match.decode()
    assert str(match.PatientName) == "Łukasz^Jan"
    assert match.SpecificCharacterSet == "ISO_IR 192"
    assert (match.RetrieveAETitle, match.InstanceAvailability) == ("NODE", "ONLINE")
    assert match.StudyDate == "20260302"


@pytest.mark.peers("dcmtk")
def test_findscu_is_warned_of_unsupported_keys(on_sqlite: WireNode) -> None:
    keys = ["QueryRetrieveLevel=STUDY", "PatientID=1234", "PatientMotherBirthName"]

    answer, matches = dcmtk.find(dcmtk.Target("NODE", on_sqlite.port), keys, "-d")

    assert len(matches) == 1
    assert "0xff01" in answer.output
    assert "PatientMotherBirthName" not in matches[0]


@pytest.mark.peers("dcmtk")
def test_findscu_cancels_and_is_obeyed_at_once(on_sqlite: WireNode) -> None:
    for study in range(100, 400):
        on_sqlite.keep(data_set(study, 1, 1, PatientID=f"P{study}", PatientName="Many^Of"), EXPLICIT)

    answer, matches = dcmtk.find(
        dcmtk.Target("NODE", on_sqlite.port), ["QueryRetrieveLevel=STUDY", "PatientName"], "-d", "--cancel", "1"
    )

    assert "0xfe00" in answer.output
    assert len(matches) < 300


@pytest.mark.peers("dcmtk")
@pytest.mark.parametrize(
    ("calling", "keys", "status"),
    [
        ("DCMTK", ["QueryRetrieveLevel=SERIES", "Modality=CT"], "0xa900"),
        ("DCMTK", ["QueryRetrieveLevel=STUDY", "StudyDate=2026"], "0xa900"),
        ("DCMTK", ["QueryRetrieveLevel=PATIENT", "PatientID=1234"], "0xa900"),
        ("MUTE", ["QueryRetrieveLevel=STUDY", "PatientID=1234"], "0x0124"),
    ],
)
def test_query_that_is_not_allowed_is_refused_with_its_status(
    on_sqlite: WireNode, calling: str, keys: list[str], status: str
) -> None:
    answer, matches = dcmtk.find(dcmtk.Target("NODE", on_sqlite.port, calling), keys, "-d")

    assert status in answer.output
    assert matches == []


@pytest.mark.peers("dcmtk")
def test_query_keys_never_reach_the_log(on_sqlite: WireNode) -> None:
    for keys in (["QueryRetrieveLevel=STUDY", "PatientName=Ashdown*"], ["QueryRetrieveLevel=SERIES", "PatientID=1234"]):
        dcmtk.find(dcmtk.Target("NODE", on_sqlite.port), keys)

    assert on_sqlite.log.named("dimse.refused")
    assert "Ashdown" not in repr(on_sqlite.log.events)
    assert "1234" not in repr([{k: v for k, v in f.items() if k != "association"} for _, f in on_sqlite.log.events])
