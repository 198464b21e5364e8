"""A spool on a failing disk: nothing half-kept is shown, and the sender is told to try again."""

import errno
import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dicom_nodes.encoding.header import read_header
from dicom_nodes.model.errors import CrashConsistency, OutOfResources
from dicom_nodes.model.instance import Channel, IncomingInstance, Provenance
from dicom_nodes.spool.objects import FileSpool
from tests.synthetic.studies import MadeStudy, data_set_bytes, make_study


@pytest.fixture
def study(tmp_path: Path) -> MadeStudy:
    return make_study(tmp_path / "images", slices=1)


def incoming(study: MadeStudy) -> IncomingInstance:
    file = study.files[0]
    provenance = Provenance("RXN", Channel.ACQUIRED, "CT1", datetime(2026, 11, 23, tzinfo=UTC))
    data_set = data_set_bytes(file.path.read_bytes())
    return IncomingInstance(
        file.sop_class_uid, file.sop_instance_uid, file.transfer_syntax_uid, data_set, provenance, "association"
    )


def keep(spool: FileSpool, arrived: IncomingInstance) -> str:
    header = read_header(arrived.data_set, arrived.transfer_syntax_uid)
    return spool.keep(arrived, header, hashlib.sha256(arrived.data_set).hexdigest()).location


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_an_error_on_sync_leaves_nothing_behind(
    tmp_path: Path, study: MadeStudy, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    spool = FileSpool(tmp_path / "spool")

    def fail(_descriptor: int) -> None:
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OutOfResources, match=os.strerror(error)):
            keep(spool, incoming(study))
    assert [path for path in (tmp_path / "spool").rglob("*") if path.is_file()] == []
    location = keep(spool, incoming(study))
    assert spool.read_data_set(location) == incoming(study).data_set


def test_bit_rot_is_noticed_before_anybody_is_sent_the_bytes(tmp_path: Path, study: MadeStudy) -> None:
    spool = FileSpool(tmp_path / "spool")
    location = keep(spool, incoming(study))
    file = tmp_path / "spool/objects" / location
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(CrashConsistency, match="not what was kept"):
        spool.read_data_set(location)


def test_provenance_survives_in_the_object_itself(tmp_path: Path, study: MadeStudy) -> None:
    arrived = incoming(study)
    keep(FileSpool(tmp_path / "spool"), arrived)
    found = list(FileSpool(tmp_path / "spool").unlisted(lambda _location: False))
    assert [item.provenance for item in found] == [arrived.provenance]
    assert found[0].header.study_instance_uid == study.study_instance_uid
    assert found[0].header.patient_id_issuer == "RXN"


def test_a_listed_object_is_not_read_again(tmp_path: Path, study: MadeStudy) -> None:
    location = keep(FileSpool(tmp_path / "spool"), incoming(study))
    assert list(FileSpool(tmp_path / "spool").unlisted({location}.__contains__)) == []
