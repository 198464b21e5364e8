"""DIMSE-N messages and data sets against pynetdicom's and pydicom's own (DICOM PS3.7 10.3, PS3.5 7.5)."""

from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pynetdicom import dimse_messages as theirs

from dicom_nodes.dimse import message_codec as codec
from dicom_nodes.dimse.messages import (
    ActionRequest,
    CreateRequest,
    EventReportRequest,
    NormalizedRequest,
    PresentationContext,
    Response,
    SetRequest,
)
from dicom_nodes.dimse.nested_data_set import decode_attributes, encode_attributes
from dicom_nodes.model.attributes import Attributes
from dicom_nodes.model.errors import OperationRefused
from dicom_nodes.upper_layer.command_set import encode_command

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
MPPS, PUSH = "1.2.840.10008.3.1.2.3.3", "1.2.840.10008.1.20.1"
CONTEXT = PresentationContext(1, MPPS, EXPLICIT)

REQUESTS: list[tuple[NormalizedRequest, type]] = [
    (ActionRequest(CONTEXT, 7, PUSH, "1.2.840.10008.1.20.1.1", 1, b"data"), theirs.N_ACTION_RQ),
    (EventReportRequest(CONTEXT, 7, PUSH, "1.2.840.10008.1.20.1.1", 2, b"data"), theirs.N_EVENT_REPORT_RQ),
    (CreateRequest(CONTEXT, 7, MPPS, "2.25.1", b"data"), theirs.N_CREATE_RQ),
    (CreateRequest(CONTEXT, 7, MPPS, "", b"data"), theirs.N_CREATE_RQ),
    (SetRequest(CONTEXT, 7, MPPS, "2.25.1", b"data"), theirs.N_SET_RQ),
]


@pytest.mark.parametrize(("request_", "their_class"), REQUESTS)
def test_a_request_says_what_pynetdicom_says_and_is_read_back(request_: NormalizedRequest, their_class: type) -> None:
    command, data_set = codec.request_message(request_)
    read = dcmread(BytesIO(encode_command(command)), force=True)
    expected = {element.tag for element in their_class().command_set} - {0x00001000, 0x00001001}
    instance = {0x00001000, 0x00001001} & {element.tag for element in read}
    assert {element.tag for element in read} - instance == expected
    assert bool(instance) == bool(request_.sop_instance_uid)
    assert read.CommandField == command.command_field
    assert codec.request_of(command, CONTEXT, data_set or b"") == request_


@pytest.mark.parametrize(("request_", "_their_class"), REQUESTS)
def test_an_answer_names_what_it_answers(request_: NormalizedRequest, _their_class: type) -> None:
    command, data_set = codec.response_message(request_, Response(0x0110, "no", error_id=0xA501))
    assert (command.status, command.error_id, data_set) == (0x0110, 0xA501, None)
    assert command.affected_sop_class_uid == request_.sop_class_uid
    assert command.message_id_being_responded_to == 7
    assert codec.response_of(command, None) == Response(0x0110, "no", error_id=0xA501)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\\^= "), max_size=12)
LEAF = st.fixed_dictionaries({}, optional={"PatientName": TEXT, "PatientID": TEXT, "FailureReason": st.just("274")})
ITEMS = st.recursive(
    LEAF,
    lambda inner: st.builds(
        lambda leaf, items: leaf | {"ScheduledProcedureStepSequence": items}, LEAF, st.lists(inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG])
@given(attributes=ITEMS)
def test_attributes_come_back_as_they_were(syntax: str, attributes: Attributes) -> None:
    assert decode_attributes(encode_attributes(attributes, syntax), syntax) == attributes


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
@pytest.mark.parametrize("undefined", [True, False])
def test_what_pydicom_writes_is_read(syntax: str, undefined: bool) -> None:
    item, inner, data_set = Dataset(), Dataset(), Dataset()
    inner.CodeValue, inner.CodeMeaning = "X", "größer"
    item.ScheduledProtocolCodeSequence = [inner, Dataset()]
    item.Modality, item.ScheduledProcedureStepStartDate = "CT", "20261127"
    data_set.SpecificCharacterSet = "ISO_IR 100"
    data_set.PatientName = "Müller^Siân"
    data_set.ScheduledProcedureStepSequence = [item]
    data_set["ScheduledProcedureStepSequence"].is_undefined_length = undefined
    stream = DicomBytesIO()
    stream.is_implicit_VR, stream.is_little_endian = syntax == IMPLICIT, True
    write_dataset(stream, data_set)
    assert decode_attributes(stream.getvalue(), syntax) == {
        "PatientName": "Müller^Siân",
        "ScheduledProcedureStepSequence": [
            {
                "Modality": "CT",
                "ScheduledProcedureStepStartDate": "20261127",
                "ScheduledProtocolCodeSequence": [{"CodeValue": "X", "CodeMeaning": "größer"}, {}],
            }
        ],
    }


@given(data=st.binary(max_size=200))
def test_bytes_that_are_no_data_set_are_refused_and_never_more(data: bytes) -> None:
    for syntax in (IMPLICIT, EXPLICIT):
        with suppress(OperationRefused):
            decode_attributes(data, syntax)


def test_a_damaged_data_set_is_a_processing_failure() -> None:
    with pytest.raises(OperationRefused, match="damaged") as caught:
        decode_attributes(b"\x08\x00\x50\x00SH\x10\x00short", EXPLICIT)
    assert caught.value.status == 0x0110
