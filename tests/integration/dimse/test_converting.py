"""Receivers that take few transfer syntaxes get the same image in one of those, or a failure, never another image."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from tests.integration.dimse.node import WireNode, bundled, data_set_of, peer, running_node
from tests.integration.dimse.test_retrieving import Kept
from tests.peers import dcmtk
from tests.peers.processes import free_port

pytestmark = pytest.mark.peers("dcmtk")
IMPLICIT = "1.2.840.10008.1.2"


@pytest.fixture
def implicit_only(tmp_path: Path) -> Iterator[tuple[WireNode, dcmtk.Workstation]]:
    port = free_port()
    peers = [peer("DCMTK"), peer("STATION", role="workstation", may=[], address=f"127.0.0.1:{port}")]
    with (
        running_node(tmp_path, f"sqlite:///{tmp_path / 'node.db'}", *peers) as node,
        dcmtk.running_workstation("STATION", "+xi", port=port) as workstation,
    ):
        yield node, workstation


def study(kept: Kept) -> list[str]:
    return ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={kept.study}"]


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small_bigendian.dcm",
        "image_dfl.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
    ],
)
def test_c_move_to_a_receiver_of_implicit_vr_alone_delivers_the_same_pixels(
    implicit_only: tuple[WireNode, dcmtk.Workstation], name: str
) -> None:
    node, workstation = implicit_only
    kept = Kept(node, name)

    answer = dcmtk.move(dcmtk.Target("NODE", node.port), "STATION", study(kept))

    assert answer.ok, node.log.named("move.sub_operation_failed")
    file = workstation.received()[kept.uid]
    assert data_set_of(file)[0].TransferSyntaxUID == IMPLICIT
    assert np.array_equal(dcmread(file).pixel_array, dcmread(bundled(name)).pixel_array)
    (event,) = node.log.named("move.sub_operation_converted")
    assert event["transfer_syntax"] == "Implicit VR Little Endian"


def test_receiver_that_takes_the_stored_syntax_gets_it_though_others_were_offered(tmp_path: Path) -> None:
    port = free_port()
    peers = [peer("DCMTK"), peer("STATION", role="workstation", may=[], address=f"127.0.0.1:{port}")]
    with (
        running_node(tmp_path, f"sqlite:///{tmp_path / 'node.db'}", *peers) as node,
        dcmtk.running_workstation("STATION", port=port) as workstation,
    ):
        kept = Kept(node, "SC_rgb_jpeg_dcmtk.dcm")
        answer = dcmtk.move(dcmtk.Target("NODE", node.port), "STATION", study(kept))

        assert answer.ok
        assert data_set_of(workstation.received()[kept.uid])[0].TransferSyntaxUID == kept.syntax


def test_damaged_image_fails_with_a_reason_and_the_others_arrive(
    implicit_only: tuple[WireNode, dcmtk.Workstation],
) -> None:
    node, workstation = implicit_only
    kept = Kept(node, "SC_rgb_jpeg_dcmtk.dcm")
    meta, data_set = data_set_of(bundled("SC_rgb_jpeg_dcmtk.dcm"))
    damaged = bytearray(data_set.replace(kept.uid.encode(), kept.uid.encode()[:-1] + b"7"))
    start_of_frame = damaged.rindex(b"\xff\xc0\x00\x11")
    damaged[start_of_frame + 5 : start_of_frame + 9] = b"\xff\xff\xff\xff"
    node.keep(bytes(damaged), str(meta.TransferSyntaxUID))

    answer = dcmtk.move(dcmtk.Target("NODE", node.port), "STATION", study(kept), "-d")

    assert "0xb000" in answer.output
    assert set(workstation.received()) == {kept.uid}
    (failed,) = node.log.named("move.sub_operation_failed")
    assert "STATION does not accept" in str(failed["why"])


def test_getscu_which_asks_for_uncompressed_images_gets_them(node: WireNode, tmp_path: Path) -> None:
    kept = Kept(node, "MR_small_RLE.dcm")

    answer = dcmtk.get(dcmtk.Target("NODE", node.port), study(kept), tmp_path / "got")

    assert answer.ok, answer.output
    (file,) = (tmp_path / "got").iterdir()
    assert np.array_equal(dcmread(file).pixel_array, dcmread(bundled("MR_small_RLE.dcm")).pixel_array)
