"""Command sets: round trips, an independent codec in both directions, and what is not one."""

import contextlib
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import decode as their_decode

from dicom_nodes.upper_layer.command_set import Command, CommandField, decode_command, encode_command
from dicom_nodes.upper_layer.faults import PduFault
from tests.unit.upper_layer.wire import CT

NUMBERS = st.none() | st.integers(0, 65535)
UIDS = st.none() | st.lists(st.integers(0, 999), min_size=2, max_size=6).map(lambda n: ".".join(map(str, n)))
TEXTS = st.none() | st.text("abcdefghij ,XYZ", min_size=1, max_size=64).map(str.strip)
TAGS = st.none() | st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5).map(tuple)
COMMANDS = st.builds(
    Command,
    command_field=st.sampled_from(CommandField).map(int),
    command_data_set_type=st.sampled_from([0x0001, 0x0101, 0x0102]),
    message_id=NUMBERS,
    affected_sop_class_uid=UIDS,
    affected_sop_instance_uid=UIDS,
    requested_sop_instance_uid=UIDS,
    status=NUMBERS,
    error_comment=TEXTS,
    move_destination=TEXTS,
    offending_element=TAGS,
    attribute_identifier_list=TAGS,
    number_of_remaining_suboperations=NUMBERS,
    event_type_id=NUMBERS,
)


@given(COMMANDS)
def test_a_command_comes_back_as_it_went(command: Command) -> None:
    assert decode_command(encode_command(command)) == command


@given(COMMANDS)
def test_another_implementation_reads_our_commands(command: Command) -> None:
    theirs = their_decode(BytesIO(encode_command(command)), True, True)

    assert theirs.CommandField == command.command_field
    assert theirs.get("MessageID") == command.message_id
    assert theirs.get("AffectedSOPClassUID") == command.affected_sop_class_uid
    assert theirs.CommandGroupLength == len(encode_command(command)) - 12


def test_a_store_request_of_another_implementation_is_read() -> None:
    primitive = C_STORE()
    primitive.MessageID, primitive.Priority = 7, 2
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = CT, "1.2.3.4"
    primitive.MoveOriginatorApplicationEntityTitle, primitive.MoveOriginatorMessageID = "HOME", 9
    primitive.DataSet = BytesIO(b"data")
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    pdv = next(iter(message.encode_msg(1, 0))).presentation_data_value_list[0][1]

    command = decode_command(pdv[1:])

    assert (command.command_field, command.message_id, command.priority) == (CommandField.C_STORE_RQ, 7, 2)
    assert (command.affected_sop_class_uid, command.affected_sop_instance_uid) == (CT, "1.2.3.4")
    assert (command.move_originator_ae_title, command.move_originator_message_id) == ("HOME", 9)
    assert command.has_data_set


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0",
        b"\0\0\0\1\2\0\0\0\1",
        b"\x08\0\0\1\2\0\0\0\1\0",  # not group 0000
        b"\0\0\0\1\2\0\0\0\1\0",  # no command data set type
        b"\0\0\0\1\4\0\0\0\1\0\0\0\0\0\0\x08\2\0\0\0\1\1",  # a number of four bytes
        b"\0\0\0\1\xff\xff\xff\xff\1\0",
    ],
)
def test_bytes_that_are_no_command_set_are_a_fault(content: bytes) -> None:
    with pytest.raises(PduFault):
        decode_command(content)


@given(COMMANDS, st.data())
def test_no_mutation_raises_anything_but_a_fault(command: Command, data: st.DataObject) -> None:
    content = bytearray(encode_command(command))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    for mutated in (bytes(content), bytes(content[: data.draw(st.integers(0, len(content)))])):
        with contextlib.suppress(PduFault):
            assert decode_command(mutated).command_field is not None
