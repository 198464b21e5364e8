"""Orders are read segment by segment; what is missing or cannot be is told with its place."""

import pytest

from dicom_nodes.hl7.faults import Hl7Fault
from dicom_nodes.hl7.imaging_order import OrderIssuers, read_orders
from dicom_nodes.model.attributes import items_of, text_of
from dicom_nodes.model.procedure import OrderControl, OrderNumber, PatientNumber, ScheduleState

MESSAGE = [
    r"MSH|^~\&|RIS|RXN|READACROSS|RXN|20261127090000||OMI^O23|M1|P|2.5.1||||||8859/1",
    "PID|1||T100^^^RXN^MR~9990000018^^^NHS^NH||O'Brien^Anne^Mary^^Dr||19700102|F",
    "ORC|NW|P1^RIS|A1^^^RXN",
    "TQ1|1||||||202607011015||S",
    "OBR|1|||CABDO^CT abdomen^NICIP",
    "IPC|ACC1|RP1|1.2.826.0.1.99.1|SPS1|CT||Scanner 1|Room 2||CT1",
    "IPC|ACC1|RP1|1.2.826.0.1.99.1|SPS2|CT||||CT2",
]
STATIONS = {"CT": "CT9"}
ISSUERS = OrderIssuers(patient="RXN_PAS", order="RXN")


def message(**replaced: str) -> bytes:
    """The message with whole segments replaced by name; an empty one is left out."""
    lines = [replaced.get(line[:3], line) for line in MESSAGE]
    return "\r".join(line for line in lines if line).encode("latin-1")


def fault_of(raw: bytes) -> str:
    with pytest.raises(Hl7Fault) as caught:
        read_orders(raw, ISSUERS, STATIONS)
    return f"{caught.value.ack} {caught.value}"


def test_one_order_schedules_a_step_for_each_ipc() -> None:
    (order,) = read_orders(message(), ISSUERS, STATIONS)
    assert order.control is OrderControl.NEW
    assert (order.placer, order.filler) == (OrderNumber("P1", "RIS"), OrderNumber("A1", "RXN"))
    assert [step.step_id for step in order.steps] == ["SPS1", "SPS2"]
    attributes = order.steps[0].attributes
    (step,) = items_of(attributes, "ScheduledProcedureStepSequence")
    assert text_of(attributes, "PatientName") == "O'Brien^Anne^Mary^Dr"
    assert text_of(attributes, "RequestedProcedurePriority") == "STAT"
    assert text_of(step, "ScheduledProcedureStepStartDate") + text_of(step, "ScheduledProcedureStepStartTime") == (
        "20260701101500"
    )
    assert order.original == message()


def test_the_time_of_the_order_is_the_hospitals_clock_whatever_its_offset() -> None:
    (order,) = read_orders(message(TQ1="TQ1|1||||||20260701091500+0000"), ISSUERS, STATIONS)
    (step,) = items_of(order.steps[0].attributes, "ScheduledProcedureStepSequence")
    assert text_of(step, "ScheduledProcedureStepStartTime") == "101500"


def test_an_order_without_study_uid_gets_the_same_one_each_time() -> None:
    bare = message(IPC="IPC|ACC1|RP1||SPS1|CT||||CT1")
    uids = {read_orders(bare, ISSUERS, STATIONS)[0].steps[0].study_instance_uid for _ in range(2)}
    assert len(uids) == 1
    assert uids.pop().startswith("2.25.")


@pytest.mark.parametrize(
    ("status", "state"),
    [("IP", ScheduleState.STARTED), ("CM", ScheduleState.COMPLETED), ("SC", ScheduleState.SCHEDULED), ("HD", None)],
)
def test_a_status_change_says_where_the_order_stands(status: str, state: ScheduleState | None) -> None:
    (order,) = read_orders(message(ORC=f"ORC|SC|P1^RIS|A1^^^RXN||{status}"), ISSUERS, STATIONS)
    assert (order.control, order.state, order.steps) == (OrderControl.STATUS, state, ())


@pytest.mark.parametrize(
    ("replaced", "words"),
    [
        ({"MSH": MESSAGE[0].replace("OMI^O23", "OMI^O21")}, "AR MSH-9: expected ORM^O01 or OMI^O23"),
        ({"MSH": MESSAGE[0].replace("|P|2.5.1", "|D|2.5.1")}, "AR MSH-11: expected processing id P"),
        ({"PID": ""}, "AE PID: expected one PID segment, found 0"),
        ({"PID": "PID|1||T100^^^RXN^MR"}, "AE PID-5: patient name is missing"),
        ({"PID": "PID|1||||Test^Name"}, "AE PID-3: expected a hospital number"),
        ({"ORC": ""}, "AE ORC: the message has no ORC segment"),
        ({"ORC": "ORC|NW"}, "AE ORC-3: neither placer"),
        ({"ORC": "ORC|RE|P1^RIS"}, "AE ORC-1: expected order control NW"),
        ({"OBR": ""}, "AE OBR: the order has no OBR segment"),
        ({"TQ1": ""}, "AE ORC-7: no time of the examination"),
        ({"TQ1": "TQ1|1||||||20260701"}, "AE TQ1-7: expected a date with hour and minute"),
        ({"TQ1": "TQ1|1||||||2026-07-01"}, "AE TQ1-7: not an HL7 time"),
        ({"IPC": "IPC|A2345678901234567|RP1||SPS1|CT||||CT1"}, "AE IPC-1: longer than the 16 characters"),
        ({"IPC": "IPC|ACC1|R2345678901234567||SPS1|CT||||CT1"}, "AE IPC-2: longer than the 16 characters"),
        ({"IPC": "IPC|ACC1|RP1||S2345678901234567|CT||||CT1"}, "AE IPC-4: longer than the 16 characters"),
        ({"IPC": "IPC|ACC\\E\\1|RP1||SPS1|CT||||CT1"}, "AE IPC-1: an identifier with a backslash or a caret"),
        ({"PID": "PID|1||T\\S\\1^^^RXN^MR||Test^Name"}, "AE PID-3: an identifier with a backslash or a caret"),
        ({"PID": "PID|1||T\\E\\1^^^RXN^MR||Test^Name"}, "AE PID-3: an identifier with a backslash or a caret"),
        ({"IPC": "IPC|ACC1|RP1|x.y|SPS1|CT||||CT1"}, "AE IPC-3: not a DICOM UID"),
        ({"IPC": "IPC|ACC1|RP1|1.2.3|SPS1|||||CT1"}, "AE IPC-5: modality is missing"),
        ({"IPC": "IPC|ACC1|RP1|1.2.3|SPS1|MR"}, "AE IPC-9: no station"),
        ({"IPC": "IPC|ACC1|RP1|1.2.3|SPS1|CT||||A_TITLE_THAT_IS_TOO_LONG"}, "AE IPC-9: not an AE title"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(replaced: dict[str, str], words: str) -> None:
    assert fault_of(message(**replaced)).startswith(words)


def test_a_station_that_the_order_does_not_name_is_the_modalitys() -> None:
    (order,) = read_orders(message(IPC="IPC|ACC1|RP1|1.2.3|SPS1|CT"), ISSUERS, STATIONS)
    (step,) = items_of(order.steps[0].attributes, "ScheduledProcedureStepSequence")
    assert text_of(step, "ScheduledStationAETitle") == "CT9"


def test_a_patients_number_without_issuer_is_the_patient_systems_and_its_own_is_preferred() -> None:
    for pid_3 in ("4001", "4001^^^RXN_PAS^MR", "9^^^OTHER^MR~4001^^^RXN_PAS^MR"):
        (order,) = read_orders(message(PID=f"PID|1||{pid_3}||Test^Name"), ISSUERS, STATIONS)
        assert order.patient == PatientNumber("4001", "RXN_PAS")
        assert text_of(order.steps[0].attributes, "IssuerOfPatientID") == "RXN_PAS"
    (order,) = read_orders(message(ORC="ORC|NW|P1|"), ISSUERS, STATIONS)
    assert order.placer == OrderNumber("P1", "RXN")


def test_the_only_study_uid_at_the_end_is_every_orders() -> None:
    orders = read_orders(TWO_ORDERS + ZDS, ISSUERS, STATIONS)
    assert [order.steps[0].study_instance_uid for order in orders] == ["1.2.3.4.5"] * 2


def test_a_study_uid_of_the_first_order_is_not_given_to_the_second() -> None:
    lines = TWO_ORDERS.split(b"\r")
    between = b"\r".join([*lines[:4], ZDS.strip(), *lines[4:]])
    (first, second) = read_orders(between, ISSUERS, STATIONS)
    assert first.steps[0].study_instance_uid == "1.2.3.4.5"
    assert second.steps[0].study_instance_uid.startswith("2.25.")


TWO_ORDERS = b"\r".join(
    line.encode()
    for line in (
        MESSAGE[0],
        MESSAGE[1].replace("'", ""),
        "ORC|NW||F1||||^^^202611271200",
        "OBR|1||F1|HEAD" + "|" * 20 + "CT",
        "ORC|NW||F2||||^^^202611271200",
        "OBR|1||F2|CHEST" + "|" * 20 + "CT",
        "",
    )
)
ZDS = b"ZDS|1.2.3.4.5^X^Application^DICOM\r"


def orm(code: str, modality: str = "") -> bytes:
    lines = (
        r"MSH|^~\&|RIS|RXN|READACROSS|RXN|20261127||ORM^O01|M1|P|2.4",
        MESSAGE[1].replace("'", ""),
        "ORC|NW||F1||||^^^202611271200",
        f"OBR|1||F1|{code}{'|' * 17}ROOM1|||{modality}",
    )
    return "\r".join(lines).encode()


@pytest.mark.parametrize(
    ("code", "stations", "modality"),
    [
        ("CSKUH^CT Head^NICIP", {}, "CT"),
        ("H7^Kopf^L^MSKUH^MR Head^NICIP", {}, "MR"),
        ("UABDO^Abdomen^NICIP", {}, "US"),
        ("NBONE^Bones^NICIP", {"NM": "NM1"}, "NM"),
        ("XCHES^Chest^NICIP", {"CT": "CT1", "DX": "XR1", "CR": "XR2"}, "DX"),
    ],
)
def test_a_nicip_code_names_the_modality_that_an_orm_leaves_out(
    code: str, stations: dict[str, str], modality: str
) -> None:
    (order,) = read_orders(orm(code), ISSUERS, stations)
    (step,) = items_of(order.steps[0].attributes, "ScheduledProcedureStepSequence")
    assert text_of(step, "Modality") == modality


def test_the_modality_that_an_orm_names_counts_before_its_nicip_code() -> None:
    (order,) = read_orders(orm("CSKUH^CT Head^NICIP", "MR"), ISSUERS, {})
    (step,) = items_of(order.steps[0].attributes, "ScheduledProcedureStepSequence")
    assert text_of(step, "Modality") == "MR"


@pytest.mark.parametrize(
    ("code", "stations"),
    [
        ("CSKUH^CT Head^L", {}),
        ("CSKUH", {}),
        ("ZSKUH^Head^NICIP", {}),
        ("C1^Head^NICIP", {}),
        ("XCHES^Chest^NICIP", {"CT": "CT1"}),
        ("NPETB^PET^NICIP", {"NM": "NM1", "PT": "PT1"}),
    ],
)
def test_a_modality_that_no_code_tells_for_certain_is_refused(code: str, stations: dict[str, str]) -> None:
    with pytest.raises(Hl7Fault, match="OBR-24: modality is missing"):
        read_orders(orm(code), ISSUERS, stations)
