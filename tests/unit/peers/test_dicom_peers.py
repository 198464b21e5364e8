"""The peers of the tests do what tests rely on: bytes kept as sent, counts and digests that mean something."""

from pathlib import Path

import pytest

from tests.peers import dcmtk
from tests.peers.dcmtk import Target, running_workstation
from tests.peers.orthanc import running_orthanc
from tests.peers.processes import accepts_connections
from tests.synthetic.studies import bundled_study, make_study, next_serial, pixel_digest, rewritten


@pytest.mark.peers("orthanc", "dcmtk")
def test_orthanc_holds_what_dcmtk_sent_and_moves_it_to_a_workstation(tmp_path: Path) -> None:
    study = bundled_study(tmp_path, "MR", origin="RXN", serial=next_serial())
    with (
        running_workstation("WS1") as workstation,
        running_orthanc(
            "PACS", {"ws": ("WS1", "127.0.0.1", workstation.port), "us": ("DCMTK", "127.0.0.1", 104)}
        ) as orthanc,
    ):
        target = Target("PACS", orthanc.dicom_port)
        sent = dcmtk.send([file.path for file in study.files], target)
        assert sent.ok, sent.output
        assert orthanc.instance_count() == orthanc.instance_count(study.study_instance_uid) == len(study.files)
        assert orthanc.study_uids() == {study.study_instance_uid}
        first = study.files[0]
        assert orthanc.pixel_digest(first.sop_instance_uid) == pixel_digest(first.path)

        keys = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study.study_instance_uid}"]
        answer, found = dcmtk.find(target, [*keys, "PatientID"])
        assert answer.ok, answer.output
        assert [item.PatientID for item in found] == [study.patient.patient_id]
        stranger = Target("PACS", orthanc.dicom_port, calling="STRANGER")
        assert not dcmtk.find(stranger, keys)[1], "Orthanc must not answer queries of those it does not know"
        moved = dcmtk.move(target, "WS1", keys)
        assert moved.ok, moved.output
        assert workstation.stores == len(study.files)
        assert workstation.pixel_digests() == {file.sop_instance_uid: pixel_digest(file.path) for file in study.files}


@pytest.mark.peers("orthanc", "dcmtk")
def test_orthanc_keeps_its_data_over_kill_9(tmp_path: Path) -> None:
    study = make_study(tmp_path)
    with running_orthanc("PACS", {"us": ("DCMTK", "127.0.0.1", 104)}) as orthanc:
        sent = dcmtk.send_with_storescu([file.path for file in study.files], Target("PACS", orthanc.dicom_port))
        assert sent.ok, sent.output
        orthanc.kill()
        assert not accepts_connections(orthanc.dicom_port)
        orthanc.start()
        assert orthanc.instance_count(study.study_instance_uid) == len(study.files)
        keys = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study.study_instance_uid}"]
        got = dcmtk.get(Target("PACS", orthanc.dicom_port), keys, tmp_path / "got")
        assert got.ok, got.output
        received = sorted(pixel_digest(file) for file in (tmp_path / "got").iterdir())
        assert received == sorted(pixel_digest(file.path) for file in study.files)


@pytest.mark.peers("dcmtk")
def test_workstation_keeps_every_byte_and_can_be_off(tmp_path: Path) -> None:
    study = make_study(tmp_path)
    files = [file.path for file in study.files]
    with running_workstation("WS1") as workstation:
        target = Target("WS1", workstation.port)
        assert dcmtk.echo(target).ok
        assert dcmtk.send(files, target).ok
        assert workstation.digests() == study.digests
        workstation.stop()
        assert not dcmtk.send(files, target).ok
        workstation.start()
        assert dcmtk.send(files, target).ok


def test_a_rewritten_instance_keeps_its_uid_and_changes_its_digest(tmp_path: Path) -> None:
    original = make_study(tmp_path, slices=1).files[0]
    changed = rewritten(original, tmp_path / "changed", PatientID="4711")
    assert changed.sop_instance_uid == original.sop_instance_uid
    assert changed.digest != original.digest
    assert rewritten(original, tmp_path / "same").digest == original.digest
