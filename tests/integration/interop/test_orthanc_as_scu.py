"""Orthanc 1.10 as the one that asks, driven by its REST API: C-ECHO, C-STORE, C-FIND at each level, C-MOVE.

What it cannot do: C-GET as SCU (it has no such call), and storage commitment is asked elsewhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest
from pydicom import dcmread

from tests.integration.dimse.node import WireNode, bundled, peer, running_node
from tests.integration.interop.conftest import received_data_set
from tests.peers.orthanc import Orthanc, running_orthanc
from tests.peers.processes import free_port

pytestmark = pytest.mark.peers("orthanc")

FILES = [bundled(name) for name in ("CT_small.dcm", "SC_rgb_jpeg_dcmtk.dcm", "MR_small_RLE.dcm", "image_dfl.dcm")]
CT = dcmread(FILES[0])


@dataclass
class Pair:
    node: WireNode
    orthanc: Orthanc
    http: httpx2.Client


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both, and one CT image at the node."""
    tmp_path, port = tmp_path_factory.mktemp("orthanc"), free_port()
    with running_orthanc("PACS", {"node": ("NODE", "127.0.0.1", port)}) as orthanc:
        pacs = peer("PACS", role="archive", address=orthanc.dicom_address)
        database = f"sqlite:///{tmp_path / 'node.db'}"
        with (
            running_node(tmp_path, database, pacs, listen=f"127.0.0.1:{port}") as node,
            httpx2.Client(base_url=orthanc.url, timeout=20, trust_env=False, headers={"Connection": "close"}) as http,
        ):
            node.keep_file(FILES[0])
            yield Pair(node, orthanc, http)


def emptied(pair: Pair) -> Pair:
    """Orthanc without images."""
    for study in pair.orthanc.get("/studies"):
        pair.http.delete(f"/studies/{study}")
    return pair


def test_orthanc_echoes(pair: Pair) -> None:
    assert pair.http.post("/modalities/node/echo", json={}).status_code == 200


def test_orthanc_stores_each_file_in_its_own_syntax(pair: Pair) -> None:
    """Pixels are compared: Orthanc writes the data set anew. It opens an association for each class and syntax."""
    ids = [pair.http.post("/instances", content=file.read_bytes()).json()["ID"] for file in FILES]

    answer = pair.http.post("/modalities/node/store", json={"Resources": ids, "Synchronous": True})

    assert answer.status_code == 200
    assert (answer.json()["InstancesCount"], answer.json()["FailedInstancesCount"]) == (len(FILES), 0)
    syntaxes = {incoming.sop_instance_uid: incoming.transfer_syntax_uid for incoming in pair.node.received}
    pixels = {incoming.sop_instance_uid: received_data_set(incoming).PixelData for incoming in pair.node.received}
    for file in FILES:
        sent = dcmread(file)
        assert pixels[sent.SOPInstanceUID] == sent.PixelData
        assert syntaxes[sent.SOPInstanceUID] == sent.file_meta.TransferSyntaxUID


@pytest.mark.parametrize(
    ("level", "query"),
    [
        ("Patient", {"PatientID": "1CT1"}),
        ("Study", {"StudyInstanceUID": str(CT.StudyInstanceUID)}),
        ("Study", {"PatientName": "CompressedSamples*", "StudyDate": "20040101-20041231", "ModalitiesInStudy": "CT"}),
        ("Series", {"StudyInstanceUID": str(CT.StudyInstanceUID), "Modality": "CT"}),
        (
            "Instance",
            {"StudyInstanceUID": str(CT.StudyInstanceUID), "SeriesInstanceUID": str(CT.SeriesInstanceUID)},
        ),
    ],
)
def test_orthanc_finds_at_each_level(pair: Pair, level: str, query: dict[str, str]) -> None:
    answer = pair.http.post("/modalities/node/query", json={"Level": level, "Query": query})

    assert answer.status_code == 200
    assert pair.http.get(f"/queries/{answer.json()['ID']}/answers").json() == ["0"]


@pytest.mark.parametrize(
    ("level", "keyword"),
    [("Study", "StudyInstanceUID"), ("Series", "SeriesInstanceUID"), ("Instance", "SOPInstanceUID")],
)
def test_orthanc_moves_at_each_level(pair: Pair, level: str, keyword: str) -> None:
    emptied(pair)
    uids = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    resource = {key: str(CT[key].value) for key in uids[: uids.index(keyword) + 1]}

    moved = pair.http.post(
        "/modalities/node/move", json={"Level": level, "Resources": [resource], "TargetAet": "PACS", "Timeout": 10}
    )

    assert moved.status_code == 200
    assert pair.orthanc.instance_count() == 1
    assert dcmread(FILES[0]).PixelData in pair.orthanc.file(str(CT.SOPInstanceUID))


def test_orthanc_hears_that_a_destination_is_unknown(pair: Pair) -> None:
    emptied(pair)
    resource = {"StudyInstanceUID": str(CT.StudyInstanceUID)}

    moved = pair.http.post(
        "/modalities/node/move", json={"Level": "Study", "Resources": [resource], "TargetAet": "NOWHERE", "Timeout": 10}
    )

    assert moved.status_code >= 400
    assert pair.orthanc.instance_count() == 0
