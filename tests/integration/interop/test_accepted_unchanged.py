"""What peers refuse or change, through a whole node into its archive: the bytes of the data set are the ones sent."""

from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_nodes.dimse.store_scu import DicomStoreScu
from dicom_nodes.model.delivery import ApplicationEntity, OutgoingInstance
from tests.integration.dimse.node import QUICK, bundled, data_set_of
from tests.peers.node import archived_digests, running_node, write_trust_file
from tests.peers.processes import wait_until
from tests.synthetic.studies import digest_of_file

PRIVATE_CLASS, RETIRED_CLASS = "1.3.12.2.1107.5.9.1", "1.2.840.10008.5.1.4.1.1.6"


def made(folder: Path, source: str, sop_class: str | None = None, *, without: str | None = None) -> Path:
    """A copy of a bundled file with another SOP class, or without an attribute."""
    data_set = dcmread(bundled(source))
    if sop_class is not None:
        data_set.SOPClassUID = data_set.file_meta.MediaStorageSOPClassUID = sop_class
    if without is not None:
        delattr(data_set, without)
    path = folder / "sent.dcm"
    data_set.save_as(path)
    return path


@pytest.mark.parametrize(
    ("source", "sop_class", "without"),
    [
        ("MR_small_bigendian.dcm", None, None),
        ("image_dfl.dcm", None, None),
        ("CT_small.dcm", PRIVATE_CLASS, None),
        ("CT_small.dcm", RETIRED_CLASS, None),
        ("CT_small.dcm", None, "PatientID"),
    ],
)
def test_the_archive_gets_what_was_sent(
    tmp_path: Path, source: str, sop_class: str | None, without: str | None
) -> None:
    file = made(tmp_path, source, sop_class, without=without)
    meta, data_set = data_set_of(file)
    uid = str(meta.MediaStorageSOPInstanceUID)
    instance = OutgoingInstance(uid, str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID), lambda: data_set)

    with running_node(write_trust_file(tmp_path, settle_quiet_s=0.2)) as node:
        entity = ApplicationEntity("RXN_NODE", "127.0.0.1", node.dicom_port)
        (result,) = DicomStoreScu("DCMTK", timeouts=QUICK).send(entity, [instance])
        assert (result.status, result.comment) == (0, "")
        wait_until(lambda: archived_digests(tmp_path), "it is archived")
        assert archived_digests(tmp_path) == {uid: digest_of_file(file)}
