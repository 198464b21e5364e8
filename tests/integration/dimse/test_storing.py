"""C-STORE and C-ECHO into a node, by DCMTK and by our own requester."""

import threading
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.filereader import read_dataset

from dicom_nodes.dimse import message_codec as codec
from dicom_nodes.dimse.association import Proposal
from dicom_nodes.dimse.messages import StoreRequest
from dicom_nodes.dimse.requester import AssociationRequester
from dicom_nodes.dimse.store_scu import DicomStoreScu
from dicom_nodes.dimse.verification_scu import probe_echo, probe_find
from dicom_nodes.model.delivery import ApplicationEntity, OutgoingInstance
from dicom_nodes.model.errors import OutOfResources, PeerRefused
from dicom_nodes.model.instance import Channel, IncomingInstance
from dicom_nodes.upper_layer.command_set import NO_DATA_SET
from tests.integration.dimse.node import QUICK, WireNode, bundled, data_set_of, digest, peer, running_node
from tests.peers import dcmtk
from tests.peers.processes import wait_until

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT = "1.2.840.10008.1.2.1"
BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
SAMPLES = [
    "CT_small.dcm",  # explicit VR little endian
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "image_dfl.dcm",  # deflated
    "SC_rgb_jpeg_dcmtk.dcm",  # JPEG baseline
    "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_RLE.dcm",
]


def outgoing(path: Path) -> OutgoingInstance:
    meta, data_set = data_set_of(path)
    return OutgoingInstance(
        str(meta.MediaStorageSOPInstanceUID),
        str(meta.MediaStorageSOPClassUID),
        str(meta.TransferSyntaxUID),
        lambda: data_set,
    )


def pixels_of(incoming: IncomingInstance) -> bytes:
    implicit = incoming.transfer_syntax_uid == "1.2.840.10008.1.2"
    return bytes(read_dataset(BytesIO(incoming.data_set), implicit, True).PixelData)


def send(node: WireNode, calling: str, *instances: OutgoingInstance) -> list[tuple[int | None, str]]:
    results = DicomStoreScu(calling, timeouts=QUICK).send(node.entity, instances)
    return [(result.status, result.comment) for result in results]


@pytest.mark.peers("dcmtk")
def test_dcmtk_stores_compressed_and_uncompressed_pixels(node: WireNode) -> None:
    """DCMTK writes data sets anew before it sends them (padding, group lengths), so pixels are compared here."""
    files = [bundled(name) for name in ("CT_small.dcm", "MR_small_implicit.dcm", "SC_rgb_jpeg_dcmtk.dcm")]

    answer = dcmtk.send(files, dcmtk.Target("NODE", node.port))

    assert answer.ok, answer.output
    pixels = {dcmread(file).PixelData for file in files}
    assert {pixels_of(incoming) for incoming in node.received} == pixels


@pytest.mark.parametrize("name", SAMPLES)
def test_every_transfer_syntax_arrives_byte_for_byte(node: WireNode, name: str) -> None:
    meta, data_set = data_set_of(bundled(name))

    assert send(node, "DCMTK", outgoing(bundled(name))) == [(0, "")]

    (incoming,) = node.received
    assert digest(incoming.data_set) == digest(data_set)
    assert incoming.transfer_syntax_uid == meta.TransferSyntaxUID
    assert incoming.sop_instance_uid == meta.MediaStorageSOPInstanceUID
    assert incoming.provenance.origin == "RXN"
    assert incoming.provenance.sending_ae_title == "DCMTK"
    assert incoming.provenance.received_at.tzinfo is not None


@pytest.mark.parametrize(
    ("sop_class", "syntax"),
    [
        ("1.2.840.10008.5.1.4.1.1.5", EXPLICIT),  # retired storage class
        ("1.3.12.2.1107.5.9.1", EXPLICIT),  # private storage class
        (CT, "1.2.840.113619.5.2"),  # private transfer syntax
        (CT, "1.2.840.10008.1.2.4.201"),  # HTJ2K lossless
        (CT, "1.2.840.10008.1.2.4.110"),  # JPEG XL lossless
        (CT, "1.2.840.10008.1.2.4.102"),  # MPEG-4
    ],
)
def test_retired_and_private_classes_and_syntaxes_are_accepted(node: WireNode, sop_class: str, syntax: str) -> None:
    instance = OutgoingInstance("1.2.826.0.1.1", sop_class, syntax, lambda: b"bytes of some kind")

    assert send(node, "DCMTK", instance) == [(0, "")]
    assert (node.received[0].sop_class_uid, node.received[0].transfer_syntax_uid) == (sop_class, syntax)


def test_refusal_of_ingest_reaches_the_sender_with_status_and_comment(node: WireNode) -> None:
    def full(_incoming: object) -> None:
        raise OutOfResources("disk reserve reached")

    node.ingest = full
    association = AssociationRequester("DCMTK", QUICK)(node.entity, [Proposal(CT, (EXPLICIT,))])
    answer = association.request(StoreRequest(association.contexts[0], 1, CT, "1.2.3", b"data"))
    association.release()

    assert (answer.status, answer.comment) == (0xA700, "disk reserve reached")


def test_unexpected_failure_of_ingest_is_never_success_and_the_association_lives_on(node: WireNode) -> None:
    outcomes = iter([ValueError("Ashdown^Ivy"), None])

    def fail_once(_incoming: object) -> None:
        outcome = next(outcomes)
        if outcome is not None:
            raise outcome

    node.ingest = fail_once
    one = outgoing(bundled("CT_small.dcm"))

    statuses = [status for status, _ in send(node, "DCMTK", one, one)]

    assert statuses == [0xA700, 0]
    assert len(node.opened) == 1
    assert "Ashdown" not in str([fields for _, fields in node.log.events if "exc_info" not in fields])


def test_request_without_a_data_set_is_not_understood(node: WireNode) -> None:
    association = AssociationRequester("DCMTK", QUICK)(node.entity, [Proposal(CT, (EXPLICIT,))])
    request = StoreRequest(association.contexts[0], 1, CT, "1.2.3", b"")
    command, _ = codec.request_message(request)
    association.link.send(request.context.id, replace(command, command_data_set_type=NO_DATA_SET))

    answer = association.response()
    association.release()

    assert (answer.status, answer.comment) == (0xC000, "the request has no data set")
    assert node.received == []


def test_workstations_report_document_comes_in_as_report(node: WireNode) -> None:
    instance = OutgoingInstance("1.2.3", BASIC_TEXT_SR, EXPLICIT, lambda: b"report")

    send(node, "HOME", instance)
    send(node, "DCMTK", instance)

    assert [incoming.provenance.channel for incoming in node.received] == [Channel.REPORT, Channel.ACQUIRED]


def test_node_may_not_store(node: WireNode) -> None:
    (result,) = send(node, "RXL", outgoing(bundled("CT_small.dcm")))

    assert result[0] == 0x0124
    assert node.received == []


def test_every_association_is_reported_opened_and_closed_once(node: WireNode) -> None:
    one = outgoing(bundled("CT_small.dcm"))
    send(node, "DCMTK", one)
    send(node, "DCMTK", one)

    wait_until(lambda: len(node.closed) == 2, "both associations closed")
    assert len(set(node.opened)) == 2
    assert sorted(node.opened) == sorted(node.closed)
    assert {incoming.association_id for incoming in node.received} == set(node.opened)


def test_one_thousand_small_instances_lose_no_answer(node: WireNode) -> None:
    instances = [OutgoingInstance(f"1.2.3.{n}", CT, EXPLICIT, lambda: b"x" * 200) for n in range(1000)]

    assert send(node, "DCMTK", *instances) == [(0, "")] * 1000
    assert len(node.opened) == 1


def test_stop_waits_for_the_instance_in_hand(node: WireNode) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow(incoming: object) -> None:
        inside.set()
        go_on.wait(10)

    node.ingest = slow
    results: list[tuple[int | None, str]] = []
    sender = threading.Thread(target=lambda: results.extend(send(node, "DCMTK", outgoing(bundled("CT_small.dcm")))))
    sender.start()
    assert inside.wait(5)
    stopper = threading.Thread(target=lambda: node.listener.stop(drain_s=10))
    port = node.port
    stopper.start()
    entity = ApplicationEntity("NODE", "127.0.0.1", port)
    wait_until(lambda: "cannot be reached" in (probe_echo("DCMTK", entity, QUICK) or ""), "new associations refused")
    go_on.set()
    sender.join(10)
    stopper.join(10)

    assert results == [(0, "")]


def test_associations_beyond_the_maximum_are_rejected_for_now(tmp_path: Path) -> None:
    with running_node(tmp_path, "sqlite://", maximum_associations=1) as node:
        inside, go_on = threading.Event(), threading.Event()

        def slow(_incoming: object) -> None:
            inside.set()
            go_on.wait(10)

        node.ingest = slow
        sender = threading.Thread(target=lambda: send(node, "DCMTK", outgoing(bundled("CT_small.dcm"))))
        sender.start()
        assert inside.wait(5)
        words = probe_echo("DCMTK", node.entity, QUICK)
        go_on.set()
        sender.join(10)

    assert words == "NODE rejects the association: it has no free association"


def test_probe_says_in_words_what_fails(node: WireNode) -> None:
    elsewhere = ApplicationEntity("OTHER", "127.0.0.1", node.port)

    assert probe_echo("DCMTK", node.entity, QUICK) is None
    assert probe_find("DCMTK", node.entity, QUICK) is None
    assert probe_echo("DCMTK", elsewhere, QUICK) == (
        "OTHER rejects the association: it does not answer to the AE title 'OTHER'"
    )
    assert probe_echo("NOBODY", node.entity, QUICK) == (
        "NODE rejects the association: our AE title 'NOBODY' is not known there"
    )
    assert probe_find("MUTE", node.entity, QUICK) == (
        "NODE accepts the association, refuses C-FIND: our AE title 'MUTE' is not listed for it there (0124)"
    )


def test_permanent_rejection_is_not_retryable(node: WireNode) -> None:
    with pytest.raises(PeerRefused, match="our AE title 'NOBODY' is not known there"):
        send(node, "NOBODY", outgoing(bundled("CT_small.dcm")))


def test_listed_peer_from_another_host_is_rejected(tmp_path: Path) -> None:
    elsewhere = {**peer("DCMTK"), "allowed_hosts": ["10.0.0.0/8"]}
    with running_node(tmp_path, "sqlite://", elsewhere, peer("CT1")) as node:
        words = probe_echo("DCMTK", node.entity, QUICK)
        (rejected,) = node.log.named("association.rejected")

    assert words == "NODE rejects the association: our AE title 'DCMTK' is not known there"
    assert rejected["why"] == "the peer may not call from this host"
