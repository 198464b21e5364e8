"""Association PDUs: round trips, an independent codec in both directions, and what is not allowed."""

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ

from dicom_nodes.upper_layer.association_pdus import (
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    decode_accept,
    decode_reject,
    decode_request,
    encode_abort,
    encode_accept,
    encode_reject,
    encode_request,
)
from dicom_nodes.upper_layer.faults import AbortReason, PduFault
from dicom_nodes.upper_layer.pdu_types import ItemType, item
from dicom_nodes.upper_layer.presentation_contexts import AnsweredContext, ProposedContext
from dicom_nodes.upper_layer.user_information import (
    AsynchronousOperationsWindow,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentity,
    UserInformation,
)
from tests.unit.upper_layer.wire import CT, EXPLICIT, IMPLICIT, MR, REQUEST

UIDS = st.lists(st.integers(0, 9999), min_size=2, max_size=8).map(lambda parts: "1." + ".".join(map(str, parts)))
AE_TITLES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", min_size=1, max_size=16)
IDENTITIES = st.builds(
    UserIdentity, st.just(2), st.booleans(), st.binary(min_size=1, max_size=50), st.binary(max_size=9)
)
USERS = st.builds(
    UserInformation,
    maximum_length=st.just(0) | st.integers(7, 2**32 - 1),
    implementation_class_uid=UIDS,
    implementation_version_name=st.just("") | AE_TITLES,
    window=st.none() | st.builds(AsynchronousOperationsWindow, st.integers(0, 65535), st.integers(0, 65535)),
    roles=st.lists(st.builds(RoleSelection, UIDS, st.booleans(), st.booleans()), max_size=4).map(tuple),
    extended=st.lists(st.builds(ExtendedNegotiation, UIDS, st.binary(min_size=1, max_size=9)), max_size=3).map(tuple),
)
REQUEST_USERS = st.builds(
    lambda user, common, identity: UserInformation(
        **{name: getattr(user, name) for name in user.__slots__}
        | {"common_extended": tuple(common), "identity": identity}
    ),
    USERS,
    st.lists(st.builds(CommonExtendedNegotiation, UIDS, UIDS, st.lists(UIDS, max_size=3).map(tuple)), max_size=2),
    st.none() | IDENTITIES,
)
IDS = st.lists(st.integers(0, 127).map(lambda n: 2 * n + 1), min_size=1, max_size=6, unique=True)
REQUESTS = IDS.flatmap(
    lambda ids: st.builds(
        AssociateRequest,
        AE_TITLES,
        AE_TITLES,
        st.tuples(
            *(
                st.builds(
                    ProposedContext, st.just(n), UIDS, st.lists(UIDS, min_size=1, max_size=4, unique=True).map(tuple)
                )
                for n in ids
            )
        ),
        REQUEST_USERS,
    )
)
ACCEPTS = IDS.flatmap(
    lambda ids: st.builds(
        AssociateAccept,
        AE_TITLES,
        AE_TITLES,
        st.tuples(*(st.builds(AnsweredContext, st.just(n), st.just(0), UIDS) for n in ids)),
        USERS,
    )
)


@given(REQUESTS)
def test_a_request_comes_back_as_it_went(request_: AssociateRequest) -> None:
    assert decode_request(encode_request(request_)[6:]) == request_


@given(ACCEPTS)
def test_an_acceptance_comes_back_as_it_went(accept: AssociateAccept) -> None:
    assert decode_accept(encode_accept(accept)[6:]) == accept


@given(REQUESTS)
def test_another_implementation_reads_our_requests_and_writes_them_alike(request_: AssociateRequest) -> None:
    theirs = A_ASSOCIATE_RQ()
    theirs.decode(encode_request(request_))

    assert theirs.called_ae_title == request_.called_ae_title
    assert theirs.calling_ae_title == request_.calling_ae_title
    read = [(c.context_id, c.abstract_syntax, tuple(c.transfer_syntax)) for c in theirs.presentation_context]
    assert read == [(c.id, c.abstract_syntax, c.transfer_syntaxes) for c in request_.contexts]
    assert theirs.user_information.maximum_length == request_.user_information.maximum_length
    assert decode_request(theirs.encode()[6:]) == request_


@given(ACCEPTS)
def test_another_implementation_reads_our_acceptances_and_writes_them_alike(accept: AssociateAccept) -> None:
    theirs = A_ASSOCIATE_AC()
    theirs.decode(encode_accept(accept))

    read = [(c.context_id, c.result, c.transfer_syntax) for c in theirs.presentation_context]
    assert read == [(c.id, c.result, c.transfer_syntax) for c in accept.contexts]
    assert decode_accept(theirs.encode()[6:]) == accept


@pytest.mark.parametrize("numbers", [(1, 1, 3), (2, 3, 2), (1, 2, 2)])
def test_rejections_and_aborts_are_read_by_another_implementation(numbers: tuple[int, int, int]) -> None:
    rejected, aborted = A_ASSOCIATE_RJ(), A_ABORT_RQ()
    rejected.decode(encode_reject(AssociateReject(*numbers)))
    aborted.decode(encode_abort(2, 6))

    assert (rejected.result, rejected.source, rejected.reason_diagnostic) == numbers
    assert (aborted.source, aborted.reason_diagnostic) == (2, 6)
    assert decode_reject(rejected.encode()[6:]) == AssociateReject(*numbers)


FIXED = struct.pack(">H2x16s16s32x", 1, b"NODE", b"CT1")
APPLICATION = item(ItemType.APPLICATION_CONTEXT, b"1.2.840.10008.3.1.1.1")
ABSTRACT, TRANSFER = item(ItemType.ABSTRACT_SYNTAX, CT.encode()), item(ItemType.TRANSFER_SYNTAX, EXPLICIT.encode())
CONTEXT = item(ItemType.PRESENTATION_CONTEXT_RQ, b"\1\0\0\0" + ABSTRACT + TRANSFER)
MAXIMUM = item(ItemType.MAXIMUM_LENGTH, b"\0\0\x40\0")
USER = item(ItemType.USER_INFORMATION, MAXIMUM)


def context(content: bytes) -> bytes:
    return item(ItemType.PRESENTATION_CONTEXT_RQ, content)


def user(content: bytes) -> bytes:
    return item(ItemType.USER_INFORMATION, content)


def test_the_smallest_request_is_read() -> None:
    assert decode_request(FIXED + APPLICATION + CONTEXT + USER).contexts == (ProposedContext(1, CT, (EXPLICIT,)),)


def test_items_that_nobody_knows_are_passed_over() -> None:
    unknown = struct.pack(">BxH", 0x77, 3) + b"new"
    body = (
        FIXED + unknown + APPLICATION + context(b"\1\0\0\0" + unknown + ABSTRACT + TRANSFER) + user(unknown + MAXIMUM)
    )

    assert decode_request(body) == decode_request(FIXED + APPLICATION + CONTEXT + USER)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", 6),
        (FIXED[:-1], 6),
        (FIXED, 6),
        (FIXED + CONTEXT + USER, 6),
        (FIXED + APPLICATION + USER, 6),
        (FIXED + APPLICATION + CONTEXT, 6),
        (FIXED + APPLICATION + APPLICATION + CONTEXT + USER, 5),
        (FIXED + APPLICATION + CONTEXT + USER + USER, 5),
        (FIXED + APPLICATION + CONTEXT + CONTEXT + USER, 6),
        (FIXED + APPLICATION + CONTEXT + USER + b"\x10", 6),
        (FIXED + APPLICATION + CONTEXT + USER + b"\x77\0\xff\xff", 6),
        (FIXED + APPLICATION + context(b"\2\0\0\0" + ABSTRACT + TRANSFER) + USER, 6),
        (FIXED + APPLICATION + context(b"\1\0\0") + USER, 6),
        (FIXED + APPLICATION + context(b"\1\0\0\0" + ABSTRACT) + USER, 6),
        (FIXED + APPLICATION + context(b"\1\0\0\0" + TRANSFER) + USER, 6),
        (FIXED + APPLICATION + context(b"\1\0\0\0" + ABSTRACT + ABSTRACT + TRANSFER) + USER, 5),
        (FIXED + item(ItemType.APPLICATION_CONTEXT, b"") + CONTEXT + USER, 6),
        (FIXED + item(ItemType.APPLICATION_CONTEXT, b"1.2\xff") + CONTEXT + USER, 6),
        (FIXED + APPLICATION + CONTEXT + user(item(ItemType.MAXIMUM_LENGTH, b"\0\0\0")), 6),
        (FIXED + APPLICATION + CONTEXT + user(item(ItemType.MAXIMUM_LENGTH, b"\0\0\0\6")), 6),
        (FIXED + APPLICATION + CONTEXT + user(MAXIMUM + MAXIMUM), 5),
        (FIXED + APPLICATION + CONTEXT + user(item(ItemType.ROLE_SELECTION, b"\0\3 1.2\1")), 6),
        (FIXED + APPLICATION + CONTEXT + user(item(ItemType.ROLE_SELECTION, b"\0\3" + b"1.2" + b"\1\2")), 6),
        (FIXED + APPLICATION + CONTEXT + user(item(ItemType.ROLE_SELECTION, b"\xff\xff1.2\1\1")), 6),
        (FIXED + APPLICATION + CONTEXT + user(item(ItemType.ASYNCHRONOUS_OPERATIONS_WINDOW, b"\0\1")), 6),
        (FIXED + APPLICATION + CONTEXT + user(item(ItemType.USER_IDENTITY_RQ, b"\1")), 6),
        (FIXED + APPLICATION + CONTEXT + user(item(ItemType.USER_IDENTITY_RQ, b"\1\0\0\5ann")), 6),
        (FIXED + APPLICATION + CONTEXT + user(item(ItemType.COMMON_EXTENDED_NEGOTIATION, b"\0\3" + b"1.2")), 6),
    ],
)
def test_a_request_that_is_not_allowed_is_a_fault_with_its_reason(body: bytes, reason: int) -> None:
    with pytest.raises(PduFault) as fault:
        decode_request(body)

    assert fault.value.reason == AbortReason(reason)


def fault_of(decode: Callable[[bytes], object], content: bytes) -> int | None:
    try:
        decode(content)
    except PduFault as fault:
        return fault.reason
    return None


@given(st.data())
def test_no_mutation_of_a_request_raises_anything_but_a_fault(data: st.DataObject) -> None:
    body = bytearray(encode_request(data.draw(REQUESTS))[6:])
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))

    for mutated in (bytes(body), bytes(body[:cut])):
        assert fault_of(decode_request, mutated) in {None, 5, 6}
        assert fault_of(decode_accept, mutated) in {None, 5, 6}


def test_passcodes_are_not_shown_in_representations() -> None:
    assert "secret" not in repr(UserIdentity(2, True, b"secret-name", b"secret-code"))


def test_padded_titles_and_uids_are_read_as_what_they_mean() -> None:
    padded = FIXED + item(ItemType.APPLICATION_CONTEXT, b"1.2.840.10008.3.1.1.1\0") + CONTEXT + USER

    request = decode_request(padded)

    assert (request.called_ae_title, request.application_context) == ("NODE", "1.2.840.10008.3.1.1.1")
    assert REQUEST.contexts[1] == ProposedContext(3, MR, (IMPLICIT,))
