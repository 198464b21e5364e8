"""Orthanc as a second implementation: it asks the node, and is where the node delivers."""

from pathlib import Path

import httpx2
import pytest

from dicom_nodes.dimse.store_scu import DicomStoreScu
from dicom_nodes.dimse.verification_scu import probe_echo, probe_find
from dicom_nodes.encoding.header import read_header
from dicom_nodes.model.delivery import ApplicationEntity, OutgoingInstance
from tests.integration.dimse.node import QUICK, bundled, data_set_of, digest, peer, running_node
from tests.peers.orthanc import running_orthanc
from tests.peers.processes import free_port

SAMPLES = ["CT_small.dcm", "rtplan.dcm", "SC_rgb_jpeg_dcmtk.dcm", "MR_small_RLE.dcm"]
pytestmark = pytest.mark.peers("orthanc")


def outgoing(name: str) -> OutgoingInstance:
    meta, data_set = data_set_of(bundled(name))
    uid = read_header(data_set, str(meta.TransferSyntaxUID)).sop_instance_uid
    return OutgoingInstance(uid, str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID), lambda: data_set)


def test_orthanc_queries_and_moves_a_study_to_itself(tmp_path: Path) -> None:
    port = free_port()
    node_file = bundled("CT_small.dcm")
    meta, data_set = data_set_of(node_file)
    study = read_header(data_set, str(meta.TransferSyntaxUID)).study_instance_uid
    with running_orthanc("PACS", {"node": ("NODE", "127.0.0.1", port)}) as orthanc:
        pacs = peer("PACS", role="archive", may=["echo", "find", "move"], address=orthanc.dicom_address)
        database = f"sqlite:///{tmp_path / 'node.db'}"
        with running_node(tmp_path, database, pacs, listen=f"127.0.0.1:{port}") as node:
            uid, _ = node.keep_file(node_file)
            with httpx2.Client(base_url=orthanc.url, timeout=20, trust_env=False) as http:
                assert http.post("/modalities/node/echo", json={}).status_code == 200
                asked = {"Level": "Study", "Query": {"StudyInstanceUID": study, "PatientName": ""}}
                query = http.post("/modalities/node/query", json=asked).json()["ID"]
                assert http.get(f"/queries/{query}/answers").json() == ["0"]
                retrieved = http.post(f"/queries/{query}/answers/0/retrieve", json={"TargetAet": "PACS"})
                assert retrieved.status_code == 200

        assert orthanc.study_uids() == {study}
        assert uid.encode() in orthanc.file(uid)


def test_orthanc_takes_what_we_send_byte_for_byte(tmp_path: Path) -> None:
    instances = [outgoing(name) for name in SAMPLES]
    with running_orthanc("PACS") as orthanc:
        host, _, port = orthanc.dicom_address.partition(":")
        entity = ApplicationEntity("PACS", host, int(port))

        results = list(DicomStoreScu("NODE", timeouts=QUICK).send(entity, instances))
        stored = {}
        for instance in instances:
            file = tmp_path / f"{instance.sop_instance_uid}.dcm"
            file.write_bytes(orthanc.file(instance.sop_instance_uid))
            stored[instance.sop_instance_uid] = digest(data_set_of(file)[1])

    assert [(result.status, result.comment) for result in results] == [(0, "")] * len(SAMPLES)
    assert stored == {instance.sop_instance_uid: digest(instance.read_data_set()) for instance in instances}


def test_probe_of_an_orthanc_that_does_not_list_us_says_what_it_refuses() -> None:
    with running_orthanc("PACS") as orthanc:
        host, _, port = orthanc.dicom_address.partition(":")
        entity = ApplicationEntity("PACS", host, int(port))

        assert probe_echo("NODE", entity, QUICK) is None
        words = probe_find("NODE", entity, QUICK)

    assert words is not None
    assert words.startswith("PACS accepts the association, refuses C-FIND")
