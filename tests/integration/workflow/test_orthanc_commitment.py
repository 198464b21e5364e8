"""Storage commitment with Orthanc: it asks the node, and the node asks it."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from dicom_nodes.spool.service_tables import archive_commitment
from tests.peers import dcmtk
from tests.peers.node import MODALITY, peer, running_node, target_of, write_trust_file
from tests.peers.orthanc import running_orthanc
from tests.peers.processes import wait_until
from tests.synthetic.studies import make_study

pytestmark = pytest.mark.peers("dcmtk", "orthanc")

MISSING = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "SOPInstanceUID": "2.25.404"}


def test_orthanc_asks_the_node_and_understands_what_is_missing(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=2)
    with running_orthanc("ORTHANC") as orthanc:
        asking = peer("ORTHANC", "archive", ("echo", "store", "commit"), orthanc.dicom_address)
        with running_node(write_trust_file(tmp_path / "node", peers=(MODALITY, asking))) as node:
            orthanc.know("node", "RXN_NODE", node.dicom_port)
            assert dcmtk.send([file.path for file in study.files], target_of(node)).ok
            here = [
                {"SOPClassUID": file.sop_class_uid, "SOPInstanceUID": file.sop_instance_uid} for file in study.files
            ]
            asked = orthanc.post("/modalities/node/storage-commitment", {"DicomInstances": [*here, MISSING]})
            path = f"/storage-commitment/{asked['ID']}"
            said = wait_until(lambda: (found := orthanc.get(path))["Status"] != "Pending" and found, "reported")
    assert said["Status"] == "Failure"
    assert [item["SOPInstanceUID"] for item in said["Success"]] == [file.sop_instance_uid for file in study.files]
    assert [item["SOPInstanceUID"] for item in said["Failures"]] == [MISSING["SOPInstanceUID"]]
    assert "was not available" in said["Failures"][0]["Description"]


def test_orthanc_as_pacs_commits_to_what_the_node_archived(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=2)
    with running_orthanc("ORTHANC") as orthanc:
        archive = f'kind = "dimse"\nae_title = "ORTHANC"\naddress = "{orthanc.dicom_address}"\ncommitment = true'
        peers = (MODALITY, peer("ORTHANC", "archive", ("echo",)))
        file = write_trust_file(tmp_path / "node", archive=archive, peers=peers)
        with running_node(file) as node:
            orthanc.know("node", "RXN_NODE", node.dicom_port)
            assert dcmtk.send([image.path for image in study.files], target_of(node)).ok
            promised = select(func.count()).where(archive_commitment.c.committed_at.is_not(None))

            def committed() -> bool:
                with node.store.database.read() as connection:
                    return connection.execute(promised).scalar_one() == len(study.files)

            wait_until(committed, "Orthanc has committed to every instance")
