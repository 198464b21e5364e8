"""Transcripts of pynetdicom's own programs (`python -m pynetdicom …`) against a node.

What they cannot do: getscu proposes every storage class with implicit VR first and takes what is accepted, so a node
that stores explicit VR has nothing it may send unconverted; the study here is stored in implicit VR.
"""

import sys
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.integration.dimse.node import WireNode, bundled, peer, running_node
from tests.integration.interop.conftest import transcript
from tests.peers.dcmtk import Answer, running_workstation
from tests.peers.processes import run

CT, MR = bundled("CT_small.dcm"), bundled("MR_small_implicit.dcm")
STUDY = str(dcmread(MR).StudyInstanceUID)
KEYS = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={STUDY}", "-k", "PatientID=4MR1"]
OPENED = ["Requesting Association", "Association Accepted"]


def app(name: str, node: WireNode, *options: str | Path, last: Path | None = None) -> Answer:
    address = ["127.0.0.1", str(node.port)]
    titles = ["-aet", "PYNETDICOM", "-aec", "NODE"]
    arguments = [sys.executable, "-m", "pynetdicom", name, *address, *([last] if last else []), "-v", *titles, *options]
    return Answer(*run(arguments))


def test_echoscu(node: WireNode) -> None:
    answer = app("echoscu", node)

    assert answer.code == 0
    assert transcript(answer.output) == [
        *OPENED,
        "Sending Echo Request: MsgID 1",
        "Received Echo Response (Status: 0x0000 - Success)",
        "Releasing Association",
    ]


@pytest.mark.parametrize("largest", ["0", "4096"])
@pytest.mark.parametrize("contexts", [["-cx"], []])
def test_storescu(node: WireNode, contexts: list[str], largest: str) -> None:
    """Without -cx it proposes 128 storage classes in four syntaxes each."""
    answer = app("storescu", node, *contexts, "-pdu", largest, last=CT)

    assert answer.code == 0
    assert transcript(answer.output) == [
        *OPENED,
        "Sending file",
        "Sending Store Request: MsgID 1, (CT)",
        "Received Store Response (Status: 0x0000 - Success)",
        "Releasing Association",
    ]
    assert len(node.received) == 1


@pytest.mark.parametrize("model", ["-S", "-P"])
def test_findscu(node: WireNode, model: str) -> None:
    node.keep_file(MR)

    answer = app("findscu", node, model, *KEYS)

    assert answer.code == 0
    said = transcript(answer.output)
    assert said[:3] == [*OPENED, "Sending Find Request: MsgID 1"]
    assert said[3:] == [
        "Find SCP Response: 1 - 0xFF00 (Pending)",
        "Find SCP Result: 0x0000 (Success)",
        "Releasing Association",
    ]


@pytest.mark.parametrize("model", ["-S", "-P"])
def test_getscu(node: WireNode, tmp_path: Path, model: str) -> None:
    uid, _ = node.keep_file(MR)

    answer = app("getscu", node, model, "-od", tmp_path / "got", *KEYS)

    assert answer.code == 0
    said = transcript(answer.output)
    assert "Get SCP Result: 0x0000 (Success)" in said
    assert "Sub-Operations Remaining: 0, Completed: 1, Failed: 0, Warning: 0" in said
    (file,) = (tmp_path / "got").iterdir()
    assert uid in file.name
    assert dcmread(file, force=True).PixelData == dcmread(MR).PixelData


@pytest.mark.peers("dcmtk")
@pytest.mark.parametrize("model", ["-S", "-P"])
def test_movescu(tmp_path: Path, model: str) -> None:
    with running_workstation("STATION") as station:
        peers = [peer("PYNETDICOM"), peer("STATION", role="workstation", may=[], address=station.address)]
        with running_node(tmp_path, f"sqlite:///{tmp_path / 'node.db'}", *peers) as node:
            uid, kept = node.keep_file(MR)
            answer = app("movescu", node, model, "-aem", "STATION", *KEYS)
        received = station.digests()

    assert answer.code == 0
    assert "Move SCP Result: 0x0000 (Success)" in transcript(answer.output)
    assert received == {uid: kept}
