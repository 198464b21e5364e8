"""C-FIND against the catalogue's tables, on SQLite and PostgreSQL, asked by DCMTK and by our own requester."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from sqlalchemy import select, update

from dicom_nodes.dimse.identifier import decode_query, encode_identifier
from dicom_nodes.flows.query import QueryFlow
from dicom_nodes.model.errors import IdentifierMismatch
from dicom_nodes.model.query import Match, Query, QueryLevel, QueryRoot
from dicom_nodes.rules.query_identifier import RetrieveSelection
from dicom_nodes.spool import query_walks, study_query, tables
from dicom_nodes.spool.search_entries import forget_studies, index_studies
from dicom_nodes.spool.study_query import StudyQuery
from tests.integration.dimse.node import WireNode, peer, running_node
from tests.peers import dcmtk
from tests.peers.postgresql import fresh_database

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


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def standing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WireNode]:
    """The same, for tests that only read."""
    folder = tmp_path_factory.mktemp("standing")
    url = f"sqlite:///{folder / 'n.db'}"
    if request.param == "postgresql":
        url = fresh_database(request.getfixturevalue("postgresql_server"))
    with running_node(folder, url, peer("DCMTK")) as node:
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
        ({"PatientName": "twin*\\twin^o*\\ash*"}, [1, 4, 5]),
        ({"PatientID": "x*\\x1*\\1234"}, [1, 4, 5]),
        ({"ModalitiesInStudy": "SR\\CT"}, [1, 2, 3, 4, 5]),
        ({"ModalitiesInStudy": "CT\\SR", "StudyDate": "20260301-20260315"}, [1, 2, 3]),
        ({"StudyDate": "20260301-20260315", "StudyTime": "0930-1030"}, [1, 2]),
        ({"StudyDate": "20260301-20260401", "PatientName": "*siân*"}, [3]),
        ({"PatientID": "*234", "ModalitiesInStudy": "?R"}, [1]),
        ({"SOPClassesInStudy": SR}, [1]),
    ],
)
def test_study_query_finds_exactly_these(standing: WireNode, keys: dict[str, str], expected: list[int]) -> None:
    assert studies(standing, **keys) == expected


@pytest.mark.peers("postgresql")
def test_answers_count_and_name_what_is_below(standing: WireNode) -> None:
    asked = dict.fromkeys(
        ("ModalitiesInStudy", "SOPClassesInStudy", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"), ""
    )

    (answer,) = find(standing, STUDY, StudyInstanceUID="1.2.826.0.1.1", **asked)

    assert answer["ModalitiesInStudy"] == "CT\\SR"
    assert answer["SOPClassesInStudy"] == f"{CT}\\{SR}"
    assert (answer["NumberOfStudyRelatedSeries"], answer["NumberOfStudyRelatedInstances"]) == ("2", "3")


@pytest.mark.peers("postgresql")
def test_levels_below_answer_their_own_keys(standing: WireNode) -> None:
    series = find(
        standing,
        SERIES,
        StudyInstanceUID="1.2.826.0.1.1",
        Modality="",
        SeriesNumber="",
        NumberOfSeriesRelatedInstances="",
    )
    images = find(
        standing,
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
def test_same_number_in_two_trusts_is_two_patients(standing: WireNode) -> None:
    patients = find(
        standing,
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
def test_retrieve_by_a_number_that_two_trusts_use_is_refused_without_its_issuer(standing: WireNode) -> None:
    query = StudyQuery(standing.database)

    with pytest.raises(IdentifierMismatch, match="several issuers"):
        query.select(RetrieveSelection(patient_id="x1234"))

    selected = query.select(RetrieveSelection(patient_id="x1234", patient_id_issuer="RXL"))
    assert {stored.origin for stored in selected} == {"RXL"}
    assert len(selected) == 2


@pytest.mark.peers("postgresql")
@pytest.mark.parametrize("more", [{}, {"StudyDate": "20260301-20260302"}])
@pytest.mark.parametrize("name", ["Müller*", "Müller^Anna", "M*^Anna"])
def test_a_name_in_undeclared_bytes_is_found_by_the_same_bytes(
    filled: WireNode, name: str, more: dict[str, str]
) -> None:
    """As devices send it that leave out Specific Character Set; and again by what we answered, which declares one."""
    image = data_set(6, 1, 1, PatientID="12X45", PatientName="M@ller^Anna", StudyDate="20260301")
    undeclared = image.replace(b"ISO_IR 192", b"ISO_IR 6  ").replace(b"M@ller", "Müller".encode("latin-1"))
    filled.keep(undeclared.replace(b"12X45", "12é45".encode("latin-1")), EXPLICIT)

    (answer,) = _asked_in_bytes(filled, name, more)
    again = decode_query(encode_identifier(STUDY, answer, EXPLICIT), EXPLICIT, QueryRoot.STUDY)

    assert answer["StudyInstanceUID"] == "1.2.826.0.1.6"
    _, found = QueryFlow(StudyQuery(filled.database)).find(again)
    assert [match["StudyInstanceUID"] for match in found] == ["1.2.826.0.1.6"]
    assert studies(filled, PatientID="12") == []


def _asked_in_bytes(node: WireNode, name: str, more: dict[str, str]) -> list[dict[str, str]]:
    keys = {"PatientName": name.replace("ü", "@"), "PatientID": "", "StudyInstanceUID": "", **more}
    identifier = encode_identifier(STUDY, keys, EXPLICIT).replace(b"@", "ü".encode("latin-1"))
    _, found = QueryFlow(StudyQuery(node.database)).find(decode_query(identifier, EXPLICIT, QueryRoot.STUDY))
    return [dict(match) for match in found]


@pytest.mark.peers("postgresql")
def test_name_is_found_once_by_whichever_of_its_component_groups(filled: WireNode) -> None:
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    filled.keep(data_set(6, 1, 1, PatientID="Y", PatientName=name), EXPLICIT)
    filled.keep(data_set(7, 1, 1, PatientID="S", PatientName="Same=Same"), EXPLICIT)

    for wanted in ("yamada*", "山田*", "やまだ^たろう", name, "YAMADA^TAROU", "*太郎", "Yamada*\\山田*"):
        assert studies(filled, PatientName=wanted) == [6], wanted
    assert studies(filled, PatientName="same*") == [7]


@pytest.mark.peers("postgresql")
def test_nhs_number_and_issuers_are_found_and_answered_in_their_sequences(filled: WireNode) -> None:
    other, accession = "OtherPatientIDsSequence", "IssuerOfAccessionNumberSequence"
    filled.keep(data_set(6, 1, 1, PatientID="N"), EXPLICIT, nhs_number="9990000018", accession_issuer="2.999.1")
    filled.keep(data_set(7, 1, 1, PatientID="M"), EXPLICIT, nhs_number="9990000026", accession_issuer="RXL")

    assert studies(filled, OtherPatientIDs="9990000018") == [6]
    assert studies(filled, **{f"{accession}.LocalNamespaceEntityID": "RXL"}) == [7]
    (answer,) = find(filled, STUDY, **{f"{other}.PatientID": "999 000 0018", other: "", accession: ""})
    assert (answer[f"{other}.PatientID"], answer[f"{other}.IssuerOfPatientID"]) == ("9990000018", "NHS")
    assert (answer[f"{accession}.UniversalEntityID"], answer[f"{accession}.UniversalEntityIDType"]) == (
        "2.999.1",
        "ISO",
    )
    assert answer[f"{accession}.LocalNamespaceEntityID"] == ""


@pytest.mark.peers("postgresql")
def test_relational_queries_reach_below_without_the_keys_above(standing: WireNode) -> None:
    def below(level: QueryLevel, keyword: str, **keys: str) -> list[str]:
        query = Query(QueryRoot.STUDY, level, {keyword: "", **keys}, relational=True)
        return sorted(match[keyword] for match in QueryFlow(StudyQuery(standing.database)).find(query)[1])

    assert below(SERIES, "SeriesInstanceUID", Modality="SR") == ["1.2.826.0.1.1.2"]
    assert below(SERIES, "StudyInstanceUID", SeriesInstanceUID="1.2.826.0.1.3.1") == ["1.2.826.0.1.3"]
    assert below(IMAGE, "SOPInstanceUID", PatientID="x1234", IssuerOfPatientID="RXL", InstanceNumber="2") == [
        "1.2.826.0.1.5.1.2"
    ]
    assert below(IMAGE, "PatientID", SOPInstanceUID="1.2.826.0.1.2.1.1\\1.2.826.0.1.5.1.1") == ["_1234", "x1234"]


@pytest.mark.peers("postgresql")
@pytest.mark.parametrize(
    ("level", "keys"),
    [
        (STUDY, {"StudyInstanceUID": ""}),
        (STUDY, {"PatientID": "x1234"}),
        (STUDY, {"PatientID": "*"}),
        (STUDY, {"PatientName": "t*"}),
        (STUDY, {"ModalitiesInStudy": "CT"}),
        (STUDY, {"StudyDate": "20200101-"}),
        (SERIES, {"StudyInstanceUID": ""}),
        (IMAGE, {"StudyInstanceUID": ""}),
        (IMAGE, {"PatientName": "t*"}),
    ],
)
def test_answer_of_many_pages_is_that_of_one(
    standing: WireNode, monkeypatch: pytest.MonkeyPatch, level: QueryLevel, keys: dict[str, str]
) -> None:
    uids = dict.fromkeys(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"), "")
    query = Query(QueryRoot.STUDY, level, {**uids, **keys}, relational=True)

    def answers() -> list[Match]:
        return list(QueryFlow(StudyQuery(standing.database)).find(query)[1])

    whole = answers()
    monkeypatch.setattr(study_query, "FIRST_PAGE_ROWS", 1)
    monkeypatch.setattr(study_query, "PAGE_ROWS", 1)
    monkeypatch.setattr(query_walks, "WINDOW_KEYS", 2)

    assert answers() == whole
    assert len(whole) == len({tuple(answer.items()) for answer in whole}) >= 2


@pytest.mark.peers("postgresql")
def test_answer_that_nobody_fetches_holds_no_connection(standing: WireNode) -> None:
    _, matches = QueryFlow(StudyQuery(standing.database)).find(Query(QueryRoot.STUDY, STUDY, {}))

    next(matches)

    assert standing.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_cancel_ends_a_search_that_finds_nothing(on_sqlite: WireNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_walks, "WINDOW_KEYS", 1)
    asked: list[bool] = []

    def is_cancelled() -> bool:
        asked.append(True)
        return len(asked) > 2

    flow = QueryFlow(StudyQuery(on_sqlite.database))
    _, matches = flow.find(Query(QueryRoot.STUDY, STUDY, {"StudyDescription": "*nothing*"}), is_cancelled)

    assert list(matches) == []
    assert len(asked) < 5


@pytest.mark.peers("postgresql")
def test_study_is_found_by_the_date_and_modality_it_came_to_have(filled: WireNode) -> None:
    filled.keep(data_set(6, 1, 1, PatientID="L"), EXPLICIT)
    uid = "1.2.826.0.1.6"
    with filled.database.write() as connection:
        this = tables.study.c.study_instance_uid == uid
        connection.execute(update(tables.study).where(this).values(study_date="20260601", modalities="\\CT\\MR\\"))
        index_studies(connection, [uid])

    assert studies(filled, ModalitiesInStudy="CT\\MR", StudyDate="20260601") == [6]
    assert studies(filled, ModalitiesInStudy="MR") == [6]
    assert studies(filled, ModalitiesInStudy="CT") == [1, 2, 3, 4, 5, 6]
    with filled.database.write() as connection:
        forget_studies(connection, [uid])
        left = select(tables.study_modality).where(tables.study_modality.c.study_key == 6)
        assert connection.execute(left).all() == []


@pytest.mark.peers("postgresql")
def test_closing_a_query_early_gives_its_connection_back(standing: WireNode) -> None:
    for _ in range(60):
        _, matches = QueryFlow(StudyQuery(standing.database)).find(Query(QueryRoot.STUDY, STUDY, {}))
        next(matches)
        matches.close()  # type: ignore[attr-defined]

    assert standing.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


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
