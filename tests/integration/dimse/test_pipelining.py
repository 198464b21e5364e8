"""Several operations outstanding on one association, in both directions, over a real connection."""

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from dicom_nodes.dimse import message_codec as codec
from dicom_nodes.dimse.association import Proposal
from dicom_nodes.dimse.identifier import encode_identifier
from dicom_nodes.dimse.messages import GetRequest, Response, StoreRequest
from dicom_nodes.dimse.requester import AssociationRequester, OpenedAssociation
from dicom_nodes.dimse.sop_classes import STUDY_ROOT_GET
from dicom_nodes.dimse.store_scu import DicomStoreScu
from dicom_nodes.model.delivery import OutgoingInstance
from dicom_nodes.model.query import QueryLevel
from dicom_nodes.upper_layer.command_set import Command, CommandField
from tests.integration.dimse.node import QUICK, WireNode, bundled, data_set_of
from tests.integration.dimse.test_retrieving import EXPLICIT, Kept

SLICES = 30


@pytest.fixture
def kept(node: WireNode) -> Kept:
    """A study of thirty slices."""
    first = Kept(node, "CT_small.dcm")
    _meta, data_set = data_set_of(bundled("CT_small.dcm"))
    for number in range(SLICES - 1):
        ending = f"{number + 50}".encode()
        node.keep(data_set.replace(first.uid.encode(), first.uid.encode()[:-2] + ending), EXPLICIT)
    return first


class Getter:
    """Asks for a study and then does as the test says."""

    def __init__(self, node: WireNode, kept: Kept) -> None:
        proposals = [Proposal(STUDY_ROOT_GET, (EXPLICIT,)), Proposal(kept.sop_class, (EXPLICIT,), as_scp=True)]
        self.association = AssociationRequester("RXL", QUICK)(node.entity, proposals)
        assert isinstance(self.association, OpenedAssociation)
        context = self.association.contexts[0]
        identifier = encode_identifier(QueryLevel.STUDY, {"StudyInstanceUID": kept.study}, EXPLICIT)
        self.request = GetRequest(context, 1, STUDY_ROOT_GET, identifier)
        self.association.link.send(context.id, *codec.request_message(self.request))
        self.outstanding: list[StoreRequest] = []
        self.received: list[str] = []
        self.final: Response | None = None

    def take(self) -> None:
        """Take in the next message: a sub-operation, or an answer of which the last is kept."""
        context, command, data_set = self.association._next_message()
        if command.command_field == CommandField.C_STORE_RQ:
            store = codec.request_of(command, context, data_set or b"")
            assert isinstance(store, StoreRequest)
            self.outstanding.append(store)
            self.received.append(store.sop_instance_uid)
        else:
            answer = codec.response_of(command, data_set)
            self.final = None if answer.is_pending else answer

    def answer(self, which: int) -> None:
        store = self.outstanding.pop(which)
        self.association.link.send(store.context.id, *codec.response_message(store, Response(0)))

    def cancel(self) -> None:
        command = Command(CommandField.C_CANCEL_RQ, message_id_being_responded_to=1)
        self.association.link.send(self.request.context.id, command)

    def until_the_end(self, which: int = 0) -> Response:
        while self.final is None:
            while self.outstanding:
                self.answer(which)
            self.take()
        return self.final


@pytest.fixture
def getter(node: WireNode, kept: Kept) -> Iterator[Getter]:
    getter = Getter(node, kept)
    yield getter
    getter.association.abort()


def test_c_get_keeps_as_many_sub_operations_outstanding_as_the_requester_performs(getter: Getter) -> None:
    for _ in range(16):
        getter.take()

    assert len(getter.outstanding) == 16
    assert len({store.message_id for store in getter.outstanding}) == 16


def test_c_get_takes_answers_in_any_order(getter: Getter) -> None:
    for _ in range(16):
        getter.take()

    final = getter.until_the_end(which=-1)

    assert final.status == 0
    assert final.sub_operations is not None
    assert final.sub_operations.completed == len(set(getter.received)) == SLICES


def test_c_cancel_ends_a_pipelined_c_get_though_answers_are_due(getter: Getter) -> None:
    for _ in range(16):
        getter.take()

    getter.cancel()
    final = getter.until_the_end()

    assert final.status == 0xFE00
    assert final.sub_operations is not None
    assert len(getter.received) < SLICES
    assert (final.sub_operations.completed, final.sub_operations.remaining) == (
        len(getter.received),
        SLICES - len(getter.received),
    )


def test_receiver_that_vanishes_with_sub_operations_outstanding_leaves_the_node_at_work(
    node: WireNode, kept: Kept
) -> None:
    vanishing = Getter(node, kept)
    for _ in range(5):
        vanishing.take()
    vanishing.association.link.connection.close()

    other = Getter(node, kept)

    assert other.until_the_end().status == 0
    other.association.release()


def test_storage_to_a_node_is_pipelined_and_anything_beside_it_is_not(node: WireNode, kept: Kept) -> None:
    store, echo = Proposal(kept.sop_class, (EXPLICIT,)), Proposal("1.2.840.10008.1.1", (EXPLICIT,))
    find = Proposal("1.2.840.10008.5.1.4.1.2.2.1", (EXPLICIT,))

    windows = []
    for proposals in ([store], [store, echo], [echo], [store, find]):
        association = AssociationRequester("DCMTK", QUICK)(node.entity, proposals)
        windows.append(association.window)
        association.release()

    assert windows == [16, 16, 1, 1]


def test_answers_are_taken_as_they_come_and_not_only_when_the_window_is_full(node: WireNode, kept: Kept) -> None:
    """The answer to the first comes long before the sixteenth is read: that one waits for it."""
    answered = threading.Event()

    def read(number: int) -> bytes:
        if number == 8:
            assert answered.wait(10)
        return data_set_of(bundled("CT_small.dcm"))[1]

    instances = [OutgoingInstance(kept.uid, kept.sop_class, EXPLICIT, partial(read, number)) for number in range(12)]
    for result in DicomStoreScu("DCMTK", timeouts=QUICK).send(node.entity, instances):
        assert result.status == 0
        answered.set()

    assert answered.is_set()
