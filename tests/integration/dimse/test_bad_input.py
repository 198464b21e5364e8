"""What is not DICOM, or not for us, ends its own connection and nobody else's."""

import socket
import struct
import time

import pytest

from dicom_nodes.dimse import message_codec as codec
from dicom_nodes.dimse.association import NoContextAccepted, NoResponse, Proposal
from dicom_nodes.dimse.messages import FindRequest, PresentationContext, StoreRequest
from dicom_nodes.dimse.requester import AssociationRequester, OpenedAssociation
from tests.integration.dimse.node import QUICK, WireNode
from tests.peers import dcmtk
from tests.peers.processes import wait_until

CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
PRINT = "1.2.840.10008.5.1.1.9"


def opened(node: WireNode, *proposals: Proposal, calling: str = "DCMTK") -> OpenedAssociation:
    return AssociationRequester(calling, QUICK)(node.entity, proposals or [Proposal(CT, (EXPLICIT,))])


def store(neighbour: OpenedAssociation) -> int:
    return neighbour.request(StoreRequest(neighbour.contexts[0], 1, CT, "1.2.3", b"data")).status


def ends(connection: socket.socket, deadline_s: float) -> bool:
    """Whether the other side ends the connection within the deadline (an A-ABORT may come first)."""
    connection.settimeout(deadline_s)
    end = time.monotonic() + deadline_s
    try:
        while time.monotonic() < end:
            if not connection.recv(4096):
                return True
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True
    return False


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: node\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),  # TLS client hello
        bytes(64),
        struct.pack(">BBL", 1, 0, 0xFFFFFFF0) + b"x" * 100,  # an association request of 4 GB
        struct.pack(">BBL", 1, 0, 68) + b"\xff" * 68,  # an association request of nonsense
        struct.pack(">BBL", 4, 0, 10) + b"\0\0\0\6\1\3abcd",  # data before any association
        struct.pack(">BBL", 1, 0, 500) + b"\0\1",  # a request that stops in the middle
        b"\1",
    ],
    ids=["http", "tls", "zeros", "huge", "nonsense", "early-data", "truncated", "one-byte"],
)
def test_bytes_that_are_not_dicom_end_their_own_connection_only(node: WireNode, garbage: bytes) -> None:
    neighbour = opened(node)
    with socket.create_connection(("127.0.0.1", node.port)) as stranger:
        stranger.sendall(garbage)
        assert ends(stranger, deadline_s=15)

    assert store(neighbour) == 0
    neighbour.release()


def test_peer_that_stops_in_the_middle_of_a_data_set_is_dropped_and_nothing_is_taken(node: WireNode) -> None:
    neighbour, cut = opened(node), opened(node)
    command, data_set = codec.request_message(StoreRequest(cut.contexts[0], 1, CT, "1.2.9", b"x" * 1000))
    assert data_set is not None
    cut.link.dimse.send_command(1, command)
    cut.link.dimse.send_data_set(1, data_set)
    whole = b"".join(cut.link.upper.data_to_send())
    cut.link.connection.send([whole[:-400]])

    wait_until(lambda: len(node.closed) == 1, "the stalled association ended", deadline_s=15)

    assert store(neighbour) == 0
    neighbour.release()
    cut.abort()
    assert [incoming.sop_instance_uid for incoming in node.received] == ["1.2.3"]


def test_service_that_is_not_offered_gets_no_context(node: WireNode) -> None:
    with pytest.raises(NoContextAccepted):
        opened(node, Proposal(PRINT, (EXPLICIT,)))


def test_refused_service_does_not_take_the_storage_beside_it(node: WireNode) -> None:
    association = opened(node, Proposal(PRINT, (EXPLICIT,)), Proposal(CT, (EXPLICIT,)))

    assert association.contexts == (PresentationContext(3, CT, EXPLICIT),)
    assert store(association) == 0
    association.release()


def test_request_on_a_context_of_another_class_is_refused(node: WireNode) -> None:
    association = opened(node)
    context = association.contexts[0]

    other_class = association.request(StoreRequest(context, 1, "1.2.840.10008.5.1.4.1.1.4", "1.2.3", b"data"))
    other_service = association.request(FindRequest(context, 2, CT, b"\x08\0\x52\0CS\6\0STUDY "))
    association.release()

    assert (other_class.status, other_service.status) == (0x0122, 0x0122)
    assert node.received == []


def test_request_on_a_context_that_was_never_accepted_ends_the_association(node: WireNode) -> None:
    association = opened(node)

    with pytest.raises(NoResponse, match="ended the association"):
        association.request(StoreRequest(PresentationContext(9, CT, EXPLICIT), 1, CT, "1.2.3", b"data"))


def test_identifier_that_is_no_data_set_is_not_understood(node: WireNode) -> None:
    association = opened(node, Proposal(STUDY_ROOT_FIND, (EXPLICIT,)))

    answer = association.request(FindRequest(association.contexts[0], 1, STUDY_ROOT_FIND, b"no data set"))
    association.release()

    assert answer.status == 0xC000


def test_idle_connection_without_a_request_keeps_nobody_out(node: WireNode) -> None:
    with socket.create_connection(("127.0.0.1", node.port)):
        neighbour = opened(node)
        assert store(neighbour) == 0
        neighbour.release()


@pytest.mark.peers("dcmtk")
@pytest.mark.parametrize(
    ("calling", "called", "words"),
    [("STRANGER", "NODE", "Calling AE Title Not Recognized"), ("DCMTK", "OTHER", "Called AE Title Not Recognized")],
)
def test_dcmtk_is_told_which_title_is_wrong(node: WireNode, calling: str, called: str, words: str) -> None:
    answer = dcmtk.echo(dcmtk.Target(called, node.port, calling))

    assert not answer.ok
    assert words in answer.output
    assert len(node.log.named("association.rejected")) == 1
    assert node.opened == []
