"""The acceptor on real sockets: limits, time-outs, streams, pipelines, and how it stops."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE, build_role, evt

from dicom_nodes.dimse import message_codec as codec
from dicom_nodes.dimse.association import NoResponse, Proposal
from dicom_nodes.dimse.listener import DicomListener
from dicom_nodes.dimse.messages import EchoRequest, FindRequest, StoreRequest
from dicom_nodes.dimse.requester import AssociationRequester, OpenedAssociation
from dicom_nodes.dimse.verification_scu import probe_echo
from dicom_nodes.encoding.digest import HeldDataSet
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.errors import OutOfResources, PeerUnavailable
from dicom_nodes.upper_layer.association_pdus import AssociateAccept, AssociateRequest, encode_abort, encode_request
from dicom_nodes.upper_layer.events import Aborted
from dicom_nodes.upper_layer.presentation_contexts import ProposedContext
from dicom_nodes.upper_layer.user_information import (
    AsynchronousOperationsWindow,
    ExtendedNegotiation,
    UserIdentity,
    UserInformation,
)
from tests.integration.dimse.node import QUICK, WireNode, bundled, data_set_of, digest, peer, running_node
from tests.peers import dcmtk
from tests.peers.answers import answers_kept
from tests.peers.processes import wait_until

CT, EXPLICIT, IMPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
STUDY_ROOT_FIND, STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.3"
VERIFICATION = "1.2.840.10008.1.1"


def opened(port: int, calling: str = "DCMTK", *proposals: Proposal) -> OpenedAssociation:
    entity = ApplicationEntity("NODE", "127.0.0.1", port)
    return AssociationRequester(calling, QUICK)(entity, proposals or [Proposal(CT, (EXPLICIT,))])


def store(association: OpenedAssociation, data: bytes = b"data", uid: str = "1.2.3") -> int:
    return association.request(StoreRequest(association.contexts[0], 1, CT, uid, data)).status


def negotiated(node: WireNode, request: AssociateRequest) -> AssociateAccept:
    """The node's answer to this request."""
    association = opened(node.port)
    association.abort()
    link = AssociationRequester("DCMTK", QUICK)._link(socket.create_connection(("127.0.0.1", node.port)))
    link.upper.associate(request)
    link.upper.connected()
    accept = link.next_event(5)
    link.upper.abort()
    link.close()
    assert isinstance(accept, AssociateAccept)
    return accept


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port))


@contextmanager
def listening(node: WireNode, *, reuse_port: bool = False, **limits: float) -> Iterator[DicomListener]:
    """A second listener of the same node with limits of its own; the others are a real node's."""
    usual = {"stall_s": 30.0, "artim_s": 10.0, "sub_operation_s": 60.0}
    own = node.settings.node.model_copy(update={**usual, **limits})
    settings = node.settings.model_copy(update={"node": own})
    listener = DicomListener(settings, node.services, reuse_port=reuse_port)
    listener.start()
    try:
        yield listener
    finally:
        listener.stop(drain_s=0)


# -- limits ------------------------------------------------------------------------------------------------------------
def test_a_peer_has_no_more_associations_than_it_may_and_takes_none_from_others(tmp_path: Path) -> None:
    modest = peer("DCMTK", maximum_associations=1)
    with running_node(tmp_path, "sqlite://", modest, peer("OTHER")) as node:
        first = opened(node.port)
        with pytest.raises(PeerUnavailable, match="it has no free association"):
            opened(node.port)
        other = opened(node.port, "OTHER")
        assert store(first) == store(other) == 0
        first.release()
        other.release()
        again = wait_until(lambda: _opened_or_none(node.port), "the place is free again")
        again.release()


def _opened_or_none(port: int) -> OpenedAssociation | None:
    try:
        return opened(port)
    except PeerUnavailable:
        return None


def test_an_idle_association_is_aborted(node: WireNode) -> None:
    with listening(node, idle_s=0.3) as listener:
        association = opened(listener.port)
        event = association.link.next_event(5)
        association.link.close()

    assert isinstance(event, Aborted)
    assert event.by_peer
    assert [note["why"] for note in node.log.named("association.cut_off")] == ["the peer fell silent"]


def test_an_association_that_is_used_is_not_idle(node: WireNode) -> None:
    with listening(node, idle_s=0.4) as listener:
        association = opened(listener.port)
        end = time.monotonic() + 1.2
        while time.monotonic() < end:
            assert store(association) == 0
        association.release()

    assert node.log.named("association.cut_off") == []


def test_a_request_that_trickles_in_is_cut_off_by_the_artim_timer(node: WireNode) -> None:
    wire = encode_request(AssociateRequest("NODE", "DCMTK", (ProposedContext(1, CT, (EXPLICIT,)),), UserInformation(0)))
    with (
        listening(node, artim_s=0.5) as listener,
        socket.create_connection(("127.0.0.1", listener.port)) as trickle,
    ):
        trickle.settimeout(0.05)
        started, ended = time.monotonic(), False
        for byte in wire:
            try:
                trickle.sendall(bytes([byte]))
                ended = trickle.recv(100) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                ended = True
            if ended:
                break

    assert ended
    assert 0.3 < time.monotonic() - started < 5


def test_three_hundred_connections_that_say_nothing_hold_nobody_up_and_take_no_threads(node: WireNode) -> None:
    threads = threading.active_count()
    with ExitStack() as stack, listening(node, artim_s=30, maximum_waiting=64) as listener:
        silent = [stack.enter_context(socket.create_connection(("127.0.0.1", listener.port))) for _ in range(300)]
        association = opened(listener.port)
        assert store(association) == 0
        assert threading.active_count() <= threads + 3
        association.release()
        silent[0].settimeout(5)
        assert silent[0].recv(1) == b""  # the oldest had to go


def test_a_silent_connection_is_closed_when_its_time_is_up(node: WireNode) -> None:
    with listening(node, artim_s=0.3) as listener, connected(listener.port) as silent:
        silent.settimeout(5)
        assert silent.recv(1) == b""


def test_an_identifier_without_end_is_refused_and_the_association_lives_on(node: WireNode) -> None:
    association = opened(node.port, "DCMTK", Proposal(STUDY_ROOT_FIND, (EXPLICIT,)))
    context = association.contexts[0]
    answer = association.request(FindRequest(context, 1, STUDY_ROOT_FIND, bytes(3 << 20)))
    afterwards = association.request(FindRequest(context, 2, STUDY_ROOT_FIND, b"no data set"))
    association.release()

    assert answer.status in {0xA700, 0xC000}
    assert "longer than what is taken" in answer.comment
    assert afterwards.status == 0xC000


# -- data sets as they arrive ------------------------------------------------------------------------------------------
@dataclass
class Counting:
    """A sink that keeps nothing but the numbers."""

    refuses_after: int | None = None
    received: int = 0
    longest: int = 0
    ends: list[str] = field(default_factory=list)

    def write(self, fragment: memoryview) -> None:
        self.received += len(fragment)
        self.longest = max(self.longest, len(fragment))
        if self.refuses_after is not None and self.received > self.refuses_after:
            raise OutOfResources("the sink is full")

    def close(self) -> HeldDataSet:
        self.ends.append("closed")
        return HeldDataSet(b"kept elsewhere")

    def discard(self) -> None:
        self.ends.append("discarded")


def test_a_data_set_reaches_its_sink_in_fragments_no_larger_than_the_buffer(node: WireNode) -> None:
    sink = Counting()
    heads: list[StoreRequest] = []

    def open_sink(head: StoreRequest) -> Counting:
        heads.append(head)
        return sink

    node.services = replace(node.services, open_sink=open_sink)
    with listening(node) as listener:
        association = opened(listener.port)
        assert store(association, bytes(40 << 20)) == 0
        association.release()

    assert (sink.received, sink.ends) == (40 << 20, ["closed"])
    assert sink.longest <= 1 << 20
    assert [(head.sop_instance_uid, head.data_set) for head in heads] == [("1.2.3", b"")]
    assert [incoming.data_set for incoming in node.received] == [b"kept elsewhere"]


def test_a_sink_that_refuses_is_answered_for_and_the_next_instance_is_taken(node: WireNode) -> None:
    sinks = [Counting(refuses_after=100_000), Counting()]
    left = iter(sinks)
    node.services = replace(node.services, open_sink=lambda _head: next(left))
    with listening(node) as listener:
        association = opened(listener.port)
        request = StoreRequest(association.contexts[0], 1, CT, "1.2.3", bytes(1_000_000))
        answer = association.request(request)
        assert store(association) == 0
        association.release()

    assert (answer.status, answer.comment) == (0xA700, "the sink is full")
    assert [sink.ends for sink in sinks] == [["discarded"], ["closed"]]
    assert len(node.received) == 1


def test_a_data_set_that_stops_short_is_discarded(node: WireNode) -> None:
    sink = Counting()
    node.services = replace(node.services, open_sink=lambda _head: sink)
    with listening(node) as listener:
        association = opened(listener.port)
        command, _ = codec.request_message(StoreRequest(association.contexts[0], 1, CT, "1.2.3", b""))
        association.link.dimse.send_command(1, command)
        association.link.dimse.send_data_set(1, bytes(1000), is_last=False)
        association.link.flush()
        wait_until(lambda: sink.received == 1000, "the first fragment arrived")
        association.abort()
        wait_until(lambda: sink.ends, "the sink heard of the end")

    assert sink.ends == ["discarded"]
    assert node.received == []


def test_nothing_is_kept_of_what_a_peer_may_not_store(node: WireNode) -> None:
    opened_sinks: list[StoreRequest] = []

    def open_sink(head: StoreRequest) -> Counting:
        opened_sinks.append(head)
        return Counting()

    node.services = replace(node.services, open_sink=open_sink)
    with listening(node) as listener:
        association = opened(listener.port, "RXL")
        assert store(association) == 0x0124
        association.release()

    assert opened_sinks == []


# -- negotiation and pipelines -----------------------------------------------------------------------------------------
def test_requests_that_are_sent_ahead_are_answered_in_their_order(node: WireNode) -> None:
    association = opened(node.port)
    requests = [StoreRequest(association.contexts[0], n, CT, f"1.2.{n}", b"x" * 5000) for n in range(1, 40)]

    for request in requests:
        command, data_set = codec.request_message(request)
        assert data_set is not None
        association.link.dimse.send_command(1, command)
        association.link.dimse.send_data_set(1, data_set)
    association.link.flush()
    statuses = [association.response().status for _ in requests]
    association.release()

    assert statuses == [0] * 39
    assert [incoming.sop_instance_uid for incoming in node.received] == [f"1.2.{n}" for n in range(1, 40)]


def test_what_is_negotiated_besides_contexts(node: WireNode) -> None:
    user = UserInformation(
        0,
        window=AsynchronousOperationsWindow(0, 0),
        extended=(ExtendedNegotiation(STUDY_ROOT_FIND, b"\1\1\1"), ExtendedNegotiation(CT, b"\2\0\0\0\0\0")),
        identity=UserIdentity(1, True, b"somebody"),
    )
    storage = ProposedContext(1, CT, (EXPLICIT,))
    find = ProposedContext(3, STUDY_ROOT_FIND, (EXPLICIT,))

    pipelined = negotiated(node, AssociateRequest("NODE", "DCMTK", (storage,), user))
    cancellable = negotiated(node, AssociateRequest("NODE", "DCMTK", (storage, find), user))
    plain = negotiated(node, AssociateRequest("NODE", "DCMTK", (storage,), UserInformation(0)))

    assert pipelined.user_information.window == AsynchronousOperationsWindow(64, 1)
    assert cancellable.user_information.window == AsynchronousOperationsWindow(1, 1)
    assert plain.user_information.window is None
    assert cancellable.user_information.extended == (ExtendedNegotiation(STUDY_ROOT_FIND, b"\1\0\0"),)
    assert cancellable.user_information.identity_response is None
    assert cancellable.user_information.maximum_length == node.settings.node.maximum_pdu_bytes


def test_a_transfer_syntax_of_the_standard_is_preferred_to_a_private_one(node: WireNode) -> None:
    private, unknown = "1.2.840.113619.5.2", "1.2.3.4.5"
    contexts = (
        ProposedContext(1, CT, (private, IMPLICIT, EXPLICIT)),
        ProposedContext(3, CT, (private, unknown)),
        ProposedContext(5, STUDY_ROOT_FIND, ("1.2.840.10008.1.2.4.50",)),
        ProposedContext(7, "1.2.840.10008.5.1.4.34.6.1", (EXPLICIT,)),
    )

    accept = negotiated(node, AssociateRequest("NODE", "DCMTK", contexts, UserInformation(0)))

    answers = [(answer.id, answer.result, answer.transfer_syntax) for answer in accept.contexts]
    assert answers == [(1, 0, IMPLICIT), (3, 0, private), (5, 4, ""), (7, 3, "")]


def test_another_application_context_is_rejected(node: WireNode) -> None:
    wire = encode_request(
        AssociateRequest("NODE", "DCMTK", (ProposedContext(1, CT, (EXPLICIT,)),), UserInformation(0), "1.2.3")
    )
    with socket.create_connection(("127.0.0.1", node.port)) as connection:
        connection.sendall(wire)
        connection.settimeout(5)
        assert connection.recv(100) == b"\3\0\0\0\0\4\0\1\1\2"


# -- the end -----------------------------------------------------------------------------------------------------------
def test_stopping_aborts_what_does_not_end_by_itself(node: WireNode) -> None:
    with listening(node) as listener:
        association = opened(listener.port)
        listener.stop(drain_s=0)
        event = association.link.next_event(5)
        with pytest.raises(NoResponse):
            store(association)

    assert event == Aborted(0, 0, "the peer aborted (0, 0)", by_peer=True)
    wait_until(lambda: len(node.closed) == len(node.opened), "the association is reported closed")


def test_a_connection_that_breaks_ends_its_association_only(node: WireNode) -> None:
    neighbour, broken = opened(node.port), opened(node.port)
    broken.link.connection.close()

    wait_until(lambda: len(node.closed) == 1, "the broken association is reported closed")

    assert store(neighbour) == 0
    neighbour.release()


def test_what_is_no_pdu_gets_the_abort_that_says_so(node: WireNode) -> None:
    with socket.create_connection(("127.0.0.1", node.port)) as stranger:
        stranger.settimeout(5)
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert stranger.recv(100) == encode_abort(2, 1)
        assert stranger.recv(100) == b""


def test_two_listeners_share_a_port_when_told_to(node: WireNode) -> None:
    settings = node.settings
    with listening(node, reuse_port=True) as first:
        shared = settings.node.model_copy(update={"listen": f"127.0.0.1:{first.port}"})
        second = DicomListener(settings.model_copy(update={"node": shared}), node.services, reuse_port=True)
        second.start()
        try:
            assert second.port == first.port
            first.stop(drain_s=0)
            assert probe_echo("DCMTK", ApplicationEntity("NODE", "127.0.0.1", second.port), QUICK) is None
        finally:
            second.stop(drain_s=0)


# -- other implementations ---------------------------------------------------------------------------------------------
def test_pynetdicom_echoes_stores_and_gets(node: WireNode) -> None:
    meta, data_set = data_set_of(bundled("CT_small.dcm"))
    sample = dcmread(bundled("CT_small.dcm"))
    node.keep(data_set, str(meta.TransferSyntaxUID))
    got: list[bytes] = []

    def take(event: evt.Event) -> int:
        got.append(event.request.DataSet.getvalue())
        return 0

    entity = AE("DCMTK")
    for uid in (VERIFICATION, CT, STUDY_ROOT_GET):
        entity.add_requested_context(uid, [EXPLICIT])
    handlers = [(evt.EVT_C_STORE, take)]
    roles = [build_role(CT, scu_role=True, scp_role=True)]
    association = answers_kept(
        entity.associate("127.0.0.1", node.port, ae_title="NODE", ext_neg=roles, evt_handlers=handlers, max_pdu=1024)
    )
    assert association.is_established
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", sample.StudyInstanceUID

    echoed = association.send_c_echo().Status
    stored = association.send_c_store(sample).Status
    answers = [status.Status for status, _ in association.send_c_get(query, STUDY_ROOT_GET)]
    association.release()

    assert (echoed, stored, answers) == (0, 0, [0])
    assert [digest(content) for content in got] == [digest(data_set)]
    assert len(node.received) == 1


@pytest.mark.peers("dcmtk")
@pytest.mark.parametrize("largest", ["4096", "131072"])
def test_storescu_sends_in_pdus_of_any_size_without_waiting_for_acknowledgements(node: WireNode, largest: str) -> None:
    """A delayed acknowledgement would cost 40 ms an instance: 60 of them 2.4 s."""
    files = [bundled("CT_small.dcm")] * 60

    started = time.monotonic()
    answer = dcmtk.send_with_storescu(files, dcmtk.Target("NODE", node.port), "--max-send-pdu", largest)
    elapsed_s = time.monotonic() - started

    assert answer.ok, answer.output
    assert len(node.received) == 60
    assert elapsed_s < 2.0


def test_an_echo_has_no_data_set_and_needs_none(node: WireNode) -> None:
    association = opened(node.port, "DCMTK", Proposal(VERIFICATION, (EXPLICIT,)))

    answer = association.request(EchoRequest(association.contexts[0], 7, VERIFICATION))
    association.release()

    assert answer.status == 0
