"""What is long passes through a node in constant memory: taken in, checked, and forwarded to the archive."""

import struct
import sys
from pathlib import Path

import pytest

from dicom_nodes.dimse.association import Proposal
from dicom_nodes.dimse.messages import StoreRequest
from dicom_nodes.dimse.requester import AssociationRequester
from dicom_nodes.encoding.digest import digest_of
from dicom_nodes.encoding.walk import EXPLICIT_VR_LITTLE_ENDIAN
from dicom_nodes.model.delivery import ApplicationEntity
from tests.peers.node import archived_digests, write_trust_file
from tests.peers.processes import RunningProcess, wait_until
from tests.synthetic.studies import data_set_bytes, make_study

JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
LONG_BYTES = 160 << 20
FRAGMENT_BYTES = 64 << 10


def peak_bytes(process: RunningProcess) -> int:
    """The most memory the process has held so far, mapped files included (VmHWM)."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


def native(head: bytes) -> bytes:
    return head + b"\xe0\x7f\x10\0OW\0\0" + struct.pack("<I", LONG_BYTES) + bytes(LONG_BYTES)


def encapsulated(head: bytes) -> bytes:
    fragment = b"\xfe\xff\0\xe0" + struct.pack("<I", FRAGMENT_BYTES) + bytes(FRAGMENT_BYTES)
    pixels = b"\xfe\xff\0\xe0\0\0\0\0" + fragment * (LONG_BYTES // FRAGMENT_BYTES) + b"\xfe\xff\xdd\xe0\0\0\0\0"
    return head + b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff" + pixels


@pytest.mark.parametrize(
    ("with_pixels", "transfer_syntax_uid"),
    [(native, EXPLICIT_VR_LITTLE_ENDIAN), (encapsulated, JPEG_BASELINE)],
    ids=["native", "encapsulated"],
)
def test_a_long_instance_is_kept_and_archived_in_little_memory(
    tmp_path: Path, with_pixels: object, transfer_syntax_uid: str
) -> None:
    file = make_study(tmp_path / "images", slices=1).files[0]
    small = data_set_bytes(file.path.read_bytes())
    data_set = with_pixels(small[: small.index(b"\xe0\x7f\x10\0")])  # type: ignore[operator]
    trust_file = write_trust_file(tmp_path / "node")
    with RunningProcess([sys.executable, "-m", "tests.peers.crashing_node", trust_file]) as process:
        port = int(process.wait_for_line(r"listening (\d+)")[1])
        before = peak_bytes(process)
        to = ApplicationEntity("RXN_NODE", "127.0.0.1", port)
        association = AssociationRequester("DCMTK")(to, [Proposal(file.sop_class_uid, (transfer_syntax_uid,))])
        request = StoreRequest(association.contexts[0], 1, file.sop_class_uid, file.sop_instance_uid, data_set)
        assert association.request(request).status == 0
        association.release()
        wait_until(lambda: archived_digests(tmp_path / "node"), "it is archived")
        assert peak_bytes(process) - before < LONG_BYTES // 3
    assert archived_digests(tmp_path / "node") == {file.sop_instance_uid: digest_of(data_set)}
