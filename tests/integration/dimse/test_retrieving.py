"""C-GET and C-MOVE out of a node: what leaves is byte for byte what is stored."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update

from dicom_nodes.dimse.outgoing import no_transcoding
from dicom_nodes.dimse.retrieve_scu import DicomRetrieveScu
from dicom_nodes.encoding.header import read_header
from dicom_nodes.model.delivery import RetrievedInstance
from dicom_nodes.model.errors import PeerRefused, PeerUnavailable
from dicom_nodes.spool import tables
from tests.integration.dimse.node import QUICK, WireNode, bundled, data_set_of, digest, peer, running_node
from tests.peers import dcmtk
from tests.peers.processes import free_port

SAMPLES = [
    "CT_small.dcm",
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "image_dfl.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "MR_small_RLE.dcm",
]
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


class Kept:
    """A sample in the spool."""

    def __init__(self, node: WireNode, name: str) -> None:
        meta, data_set = data_set_of(bundled(name))
        self.syntax = str(meta.TransferSyntaxUID)
        header = read_header(data_set, self.syntax)
        self.study, self.sop_class = header.study_instance_uid, header.sop_class_uid
        self.series = header.series_instance_uid
        self.uid, self.digest = header.sop_instance_uid, digest(data_set)
        node.keep(data_set, self.syntax)


def fetch(node: WireNode, kept: Kept, status: int = 0) -> tuple[list[RetrievedInstance], int]:
    received: list[RetrievedInstance] = []

    def receive(instance: RetrievedInstance) -> int:
        received.append(replace(instance, data_set=bytes(instance.data_set.content())))
        return status

    scu = DicomRetrieveScu("RXL", timeouts=QUICK)
    summary = scu.get_study(node.entity, kept.study, [(kept.sop_class, kept.syntax)], receive)
    return received, summary.status


@pytest.mark.parametrize("name", SAMPLES)
def test_c_get_hands_over_every_transfer_syntax_byte_for_byte(node: WireNode, name: str) -> None:
    kept = Kept(node, name)

    (instance,), status = fetch(node, kept)

    assert status == 0
    assert digest(instance.data_set) == kept.digest
    assert (instance.sop_instance_uid, instance.sop_class_uid, instance.transfer_syntax_uid) == (
        kept.uid,
        kept.sop_class,
        kept.syntax,
    )


def test_c_get_counts_what_the_receiver_refuses(node: WireNode) -> None:
    kept = Kept(node, "CT_small.dcm")

    received, status = fetch(node, kept, status=0xA700)

    assert len(received) == 1
    assert status == 0xA702


def test_c_get_of_a_study_we_do_not_have_is_success_with_nothing(node: WireNode) -> None:
    kept = Kept(node, "CT_small.dcm")
    kept.study = "1.2.3.4"

    assert fetch(node, kept) == ([], 0)


def test_c_get_of_named_instances_brings_those_and_no_others_of_their_series(node: WireNode) -> None:
    kept = Kept(node, "CT_small.dcm")
    _meta, data_set = data_set_of(bundled("CT_small.dcm"))
    uids = [f"{kept.uid[:-4]}{number}" for number in range(1000, 1950)]
    for uid in uids:
        node.keep(data_set.replace(kept.uid.encode(), uid.encode()), EXPLICIT)
    received: list[str] = []

    def receive(instance: RetrievedInstance) -> int:
        received.append(instance.sop_instance_uid)
        return 0

    scu, contexts = DicomRetrieveScu("RXL", timeouts=QUICK), [(kept.sop_class, EXPLICIT)]
    summary = scu.get_study(node.entity, kept.study, contexts, receive, only={kept.series: uids})
    refused = scu.get_study(
        node.entity, kept.study, contexts, lambda _one: 0xA700, only={"1.2.3.4": uids, kept.series: uids[:2]}
    )

    assert sorted(received) == uids
    assert (summary.status, summary.completed, summary.failed) == (0, 950, 0)
    assert (refused.status, refused.completed, refused.failed) == (0xA702, 0, 2)


def test_c_get_fails_what_the_receiver_did_not_accept_and_sends_the_rest(node: WireNode) -> None:
    explicit = Kept(node, "CT_small.dcm")
    meta, data_set = data_set_of(bundled("CT_small.dcm"))
    other = data_set.replace(explicit.uid.encode(), explicit.uid.encode()[:-1] + b"7")
    node.keep(other, str(meta.TransferSyntaxUID))
    received: list[RetrievedInstance] = []
    scu = DicomRetrieveScu("RXL", timeouts=QUICK)

    def receive(instance: RetrievedInstance) -> int:
        received.append(replace(instance, data_set=bytes(instance.data_set.content())))
        return 0 if instance.sop_instance_uid == explicit.uid else 0xC000

    summary = scu.get_study(node.entity, explicit.study, [(explicit.sop_class, explicit.syntax)], receive)
    node.transcode = no_transcoding
    refused = scu.get_study(node.entity, explicit.study, [(explicit.sop_class, IMPLICIT)], receive)

    assert (summary.status, summary.completed, summary.failed) == (0xB000, 1, 1)
    assert (refused.status, refused.completed, refused.failed) == (0xA702, 0, 2)
    assert {event["why"] for event in node.log.named("get.sub_operation_failed")} == {
        "the destination answered C000",
        "RXL does not accept CT Image Storage in Explicit VR Little Endian, and nothing here converts it into a "
        "transfer syntax that is accepted",
    }


def test_receiver_that_dies_within_a_c_get_is_reported_and_the_node_goes_on(node: WireNode) -> None:
    kept = Kept(node, "CT_small.dcm")

    def die(_instance: RetrievedInstance) -> int:
        raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError):
        DicomRetrieveScu("RXL", timeouts=QUICK).get_study(node.entity, kept.study, [(kept.sop_class, kept.syntax)], die)

    assert fetch(node, kept)[1] == 0


def test_c_get_that_is_not_listed_is_refused(node: WireNode) -> None:
    kept = Kept(node, "CT_small.dcm")
    scu = DicomRetrieveScu("MUTE", timeouts=QUICK)

    summary = scu.get_study(node.entity, kept.study, [(kept.sop_class, kept.syntax)], lambda _instance: 0)

    assert summary.status == 0x0124


def test_unreachable_or_unknown_source_is_said_in_words(node: WireNode) -> None:
    kept = Kept(node, "CT_small.dcm")
    stranger = DicomRetrieveScu("NOBODY", timeouts=QUICK)
    with pytest.raises(PeerRefused, match="our AE title 'NOBODY' is not known there"):
        stranger.get_study(node.entity, kept.study, [(kept.sop_class, kept.syntax)], lambda _instance: 0)
    nowhere = node.entity
    node.listener.stop(drain_s=0)
    with pytest.raises(PeerUnavailable, match="cannot be reached"):
        stranger.get_study(nowhere, kept.study, [(kept.sop_class, kept.syntax)], lambda _instance: 0)


@pytest.mark.peers("dcmtk")
def test_getscu_receives_the_bytes_as_they_are_stored(node: WireNode, tmp_path: Path) -> None:
    kept = Kept(node, "CT_small.dcm")
    keys = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={kept.study}"]

    answer = dcmtk.get(dcmtk.Target("NODE", node.port), keys, tmp_path / "got")

    assert answer.ok, answer.output
    (file,) = (tmp_path / "got").iterdir()
    assert digest(data_set_of(file)[1]) == kept.digest


@pytest.fixture
def movable(tmp_path: Path) -> Iterator[tuple[WireNode, dcmtk.Workstation]]:
    port = free_port()
    peers = [
        peer("DCMTK", may=["move"]),
        peer("MUTE", may=["store"]),
        peer("STATION", role="workstation", may=[], address=f"127.0.0.1:{port}"),
        peer("DEAF", role="workstation", may=[], address=f"127.0.0.1:{free_port()}"),
        peer("HOMELESS", may=["store"]),
    ]
    with (
        running_node(tmp_path, f"sqlite:///{tmp_path / 'node.db'}", *peers) as node,
        dcmtk.running_workstation("STATION", port=port) as workstation,
    ):
        yield node, workstation


@pytest.mark.peers("dcmtk")
def test_movescu_has_studies_delivered_to_dcmtk_byte_for_byte(
    movable: tuple[WireNode, dcmtk.Workstation],
) -> None:
    node, workstation = movable
    samples = [Kept(node, name) for name in ("CT_small.dcm", "MR_small_implicit.dcm", "SC_rgb_jpeg_dcmtk.dcm")]
    target = dcmtk.Target("NODE", node.port)

    for kept in samples:
        keys = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={kept.study}"]
        answer = dcmtk.move(target, "STATION", keys)
        assert answer.ok, (kept.syntax, node.log.named("move.sub_operation_failed"))

    assert {digest(data_set_of(file)[1]) for file in workstation.files()} == {kept.digest for kept in samples}


@pytest.mark.peers("dcmtk")
@pytest.mark.parametrize("name", SAMPLES)
def test_move_delivers_every_transfer_syntax_byte_for_byte(tmp_path: Path, name: str) -> None:
    for folder in ("source", "target"):
        (tmp_path / folder).mkdir()
    with running_node(tmp_path / "target", "sqlite://", peer("NODE", may=["store"]), ae_title="TARGET") as target:
        peers = [peer("DCMTK", may=["move"]), peer("TARGET", may=[], address=f"127.0.0.1:{target.port}")]
        with running_node(tmp_path / "source", f"sqlite:///{tmp_path / 'node.db'}", *peers) as node:
            kept = Kept(node, name)
            keys = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={kept.study}"]
            answer = dcmtk.move(dcmtk.Target("NODE", node.port), "TARGET", keys)

    assert answer.ok, answer.output
    (incoming,) = target.received
    assert (digest(incoming.data_set), incoming.transfer_syntax_uid) == (kept.digest, kept.syntax)


@pytest.mark.peers("dcmtk")
@pytest.mark.parametrize(
    ("calling", "destination", "status"),
    [
        ("DCMTK", "NOWHERE", "0xa801"),
        ("DCMTK", "HOMELESS", "0xa801"),
        ("MUTE", "STATION", "0x0124"),
        ("DCMTK", "DEAF", "0xa702"),
    ],
)
def test_move_that_cannot_be_done_says_why_and_goes_nowhere_else(
    movable: tuple[WireNode, dcmtk.Workstation], calling: str, destination: str, status: str
) -> None:
    node, workstation = movable
    kept = Kept(node, "CT_small.dcm")
    keys = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={kept.study}"]

    answer = dcmtk.move(dcmtk.Target("NODE", node.port, calling), destination, keys, "-d")

    assert not answer.ok
    assert status in answer.output
    assert workstation.files() == []


@pytest.mark.peers("dcmtk")
def test_move_by_series_and_by_image_sends_only_those(movable: tuple[WireNode, dcmtk.Workstation]) -> None:
    node, workstation = movable
    kept = Kept(node, "CT_small.dcm")
    meta, data_set = data_set_of(bundled("CT_small.dcm"))
    node.keep(data_set.replace(kept.uid.encode(), kept.uid.encode()[:-1] + b"7"), str(meta.TransferSyntaxUID))
    series = read_header(data_set, kept.syntax).series_instance_uid
    keys = [
        "QueryRetrieveLevel=IMAGE",
        f"StudyInstanceUID={kept.study}",
        f"SeriesInstanceUID={series}",
        f"SOPInstanceUID={kept.uid}",
    ]

    answer = dcmtk.move(dcmtk.Target("NODE", node.port), "STATION", keys)

    assert answer.ok, answer.output
    assert set(workstation.received()) == {kept.uid}


@pytest.mark.peers("dcmtk")
def test_move_over_several_associations_delivers_everything_once_and_keeps_to_the_number(tmp_path: Path) -> None:
    for folder in ("source", "target"):
        (tmp_path / folder).mkdir()
    with running_node(tmp_path / "target", "sqlite://", peer("NODE", may=["store"]), ae_title="TARGET") as target:
        address = f"127.0.0.1:{target.port}"
        peers = [peer("DCMTK", may=["move"]), peer("TARGET", may=[], address=address, parallel_associations=3)]
        with running_node(tmp_path / "source", f"sqlite:///{tmp_path / 'node.db'}", *peers) as node:
            kept = Kept(node, "CT_small.dcm")
            _meta, data_set = data_set_of(bundled("CT_small.dcm"))
            for number in range(50, 79):
                node.keep(data_set.replace(kept.uid.encode(), f"{kept.uid[:-2]}{number}".encode()), EXPLICIT)
            keys = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={kept.study}"]
            answer = dcmtk.move(dcmtk.Target("NODE", node.port), "TARGET", keys)

    assert answer.ok, answer.output
    assert len(target.received) == len({incoming.sop_instance_uid for incoming in target.received}) == 30
    assert 1 <= len(target.opened) <= 3


@pytest.mark.parametrize("evicted", [1, 2])
def test_an_evicted_instance_is_found_but_its_retrieve_says_that_it_is_missing(node: WireNode, evicted: int) -> None:
    kept = Kept(node, "CT_small.dcm")
    meta, data_set = data_set_of(bundled("CT_small.dcm"))
    other = kept.uid[:-1] + ("1" if kept.uid[-1] != "1" else "2")
    node.keep(data_set.replace(kept.uid.encode(), other.encode()), str(meta.TransferSyntaxUID))
    gone = [kept.uid, other][:evicted]
    instance = tables.instance
    with node.database.write() as connection:
        connection.execute(
            update(instance).where(instance.c.sop_instance_uid.in_(gone)).values(segment=None, epoch=None, offset=None)
        )

    received, status = fetch(node, kept)

    assert [item.sop_instance_uid for item in received] == [other][: 2 - evicted]
    assert status == (0xB000 if evicted == 1 else 0xA702)
    with node.database.read() as connection:
        assert connection.execute(select(tables.study.c.instance_count)).scalar_one() == 2
    assert "not in this node's spool any more" in str(node.log.named("get.sub_operation_failed"))
