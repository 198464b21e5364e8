"""Associations by TLS, both ends ours: everything that works without works with it, and at the other port."""

import threading
from pathlib import Path

import pytest

from dicom_nodes.dimse import message_codec as codec
from dicom_nodes.dimse.association import Proposal
from dicom_nodes.dimse.identifier import encode_identifier
from dicom_nodes.dimse.messages import FindRequest, StoreRequest
from dicom_nodes.dimse.requester import AssociationRequester, OpenedAssociation
from dicom_nodes.dimse.retrieve_scu import DicomRetrieveScu
from dicom_nodes.dimse.store_scu import DicomStoreScu
from dicom_nodes.model.delivery import ApplicationEntity, OutgoingInstance, RetrievedInstance
from dicom_nodes.model.query import QueryLevel
from dicom_nodes.upper_layer.command_set import Command, CommandField
from dicom_nodes.upper_layer.events import Aborted
from tests.integration.dimse.node import WireNode, bundled, data_set_of, digest, peer
from tests.integration.tls.conftest import RequesterOf, RunNode
from tests.peers.certificates import Authority, Identity
from tests.peers.processes import wait_until

CT, EXPLICIT, IMPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"


def entity(node: WireNode) -> ApplicationEntity:
    return ApplicationEntity("NODE", "127.0.0.1", node.listener.tls_port)


def opened(requester: AssociationRequester, node: WireNode, *proposals: Proposal) -> OpenedAssociation:
    return requester(entity(node), proposals or [Proposal(CT, (EXPLICIT,))])


def store(association: OpenedAssociation, data: bytes, uid: str = "1.2.3") -> int:
    return association.request(StoreRequest(association.contexts[0], 1, CT, uid, data)).status


@pytest.mark.parametrize("size", [1, 16_383, 16_384, 16_385, 262_143, 524_289, 64 << 20])
def test_a_data_set_of_any_size_arrives_byte_for_byte(
    node: WireNode, requester_of: RequesterOf, scanner: Identity, size: int
) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    association = opened(requester_of("CT1", scanner), node)

    assert store(association, data[:size]) == 0
    association.release()

    (incoming,) = node.received
    assert digest(incoming.data_set) == digest(data[:size])
    assert incoming.provenance.sending_ae_title == "CT1"


def test_two_thousand_small_instances_lose_no_answer(
    node: WireNode, requester_of: RequesterOf, scanner: Identity
) -> None:
    instances = [OutgoingInstance(f"1.2.3.{n}", CT, EXPLICIT, lambda: b"x" * 200) for n in range(2000)]
    scu = DicomStoreScu("CT1", open_association=requester_of("CT1", scanner))

    results = list(scu.send(entity(node), instances))

    assert [(result.status, result.comment) for result in results] == [(0, "")] * 2000
    assert len(node.opened) == 1


def test_requests_that_are_sent_ahead_are_answered_in_their_order(
    node: WireNode, requester_of: RequesterOf, scanner: Identity
) -> None:
    association = opened(requester_of("CT1", scanner), node)
    requests = [StoreRequest(association.contexts[0], n, CT, f"1.2.{n}", b"x" * 50_000) for n in range(1, 30)]
    for request in requests:
        association._send(request)

    assert [association.response().status for _ in requests] == [0] * len(requests)
    association.release()
    assert [incoming.sop_instance_uid for incoming in node.received] == [f"1.2.{n}" for n in range(1, 30)]


def test_a_large_study_comes_back_by_get(run_node: RunNode, requester_of: RequesterOf, authority: Authority) -> None:
    meta, data_set = data_set_of(bundled("CT_small.dcm"))
    trailing_padding, size = b"\xfc\xff\xfc\xffOB\x00\x00", 64 << 20
    large = data_set.partition(trailing_padding)[0] + trailing_padding + size.to_bytes(4, "little") + bytes(size)
    taken: list[RetrievedInstance] = []

    def take(instance: RetrievedInstance) -> int:
        taken.append(instance)
        return 0

    with run_node(peer("RXL", role="node", may=["get"], certificate="uri:urn:ods:RXL")) as node:
        node.keep(large, str(meta.TransferSyntaxUID))
        identity = authority.issue("RXL", "URI:urn:ods:RXL")
        scu = DicomRetrieveScu("RXL", open_association=requester_of("RXL", identity))
        study = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"
        summary = scu.get_study(entity(node), study, [(CT, str(meta.TransferSyntaxUID))], take)

    assert (summary.status, summary.completed, summary.failed) == (0, 1, 0)
    assert taken[0].data_set.digest == digest(large)


def test_a_cancel_behind_its_request_is_obeyed(node: WireNode, requester_of: RequesterOf, scanner: Identity) -> None:
    node.keep_file(bundled("CT_small.dcm"))
    association = opened(requester_of("CT1", scanner), node, Proposal(STUDY_ROOT_FIND, (IMPLICIT,)))
    context = association.contexts[0]
    identifier = encode_identifier(QueryLevel.STUDY, {"StudyInstanceUID": ""}, IMPLICIT)
    command, _ = codec.request_message(FindRequest(context, 1, STUDY_ROOT_FIND, identifier))
    association.link.dimse.send_command(context.id, command)
    association.link.dimse.send_data_set(context.id, identifier)
    association.link.dimse.send_command(context.id, Command(CommandField.C_CANCEL_RQ, message_id_being_responded_to=1))
    association.link.flush()

    assert association.response().status == 0xFE00
    association.release()


def test_stop_aborts_an_association_that_does_not_end(
    node: WireNode, requester_of: RequesterOf, scanner: Identity
) -> None:
    association = opened(requester_of("CT1", scanner), node)
    stopper = threading.Thread(target=lambda: node.listener.stop(drain_s=0.2))
    stopper.start()

    event = association.link.next_event(5)
    stopper.join(10)
    association.link.close()

    assert isinstance(event, Aborted)
    assert event.by_peer
    assert node.closed == node.opened


def test_both_ports_share_the_places(run_node: RunNode, requester_of: RequesterOf, scanner: Identity) -> None:
    with run_node(peer("CT1", certificate="dns:ct1.example"), peer("DCMTK"), maximum_associations=1) as node:
        plain = AssociationRequester("DCMTK")(node.entity, [Proposal(CT, (EXPLICIT,))])
        with pytest.raises(Exception, match="it has no free association"):
            opened(requester_of("CT1", scanner), node)
        plain.release()
        wait_until(lambda: node.closed == node.opened, "the place is free again")
        secured = opened(requester_of("CT1", scanner), node)
        assert store(secured, b"data") == 0
        secured.release()


def test_files_that_change_are_used_for_the_next_association_and_break_none(
    run_node: RunNode, requester_of: RequesterOf, scanner: Identity, own: Identity, authority: Authority, tmp_path: Path
) -> None:
    with run_node(peer("CT1", certificate="dns:ct1.example")) as node:
        assert node.settings.tls is not None
        before = opened(requester_of("CT1", scanner), node)
        assert store(before, b"one") == 0
        renewed = authority.issue("RENEWED")
        old = {file: file.read_bytes() for file in (own.certificate, own.key)}
        try:
            own.certificate.write_bytes(renewed.certificate.read_bytes())
            half = opened(requester_of("CT1", scanner), node)  # the key does not fit yet: what was there goes on
            half.release()
            own.key.write_bytes(renewed.key.read_bytes())
            after = opened(requester_of("CT1", scanner, "cn:RENEWED"), node)
            after.release()
        finally:
            for file, content in old.items():
                file.write_bytes(content)
        assert store(before, b"two") == 0
        before.release()

    assert len(node.not_reloaded) == 1
    assert "key: does not fit the certificate" in node.not_reloaded[0]
