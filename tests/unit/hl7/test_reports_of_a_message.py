"""Several reports in one message, and what each says besides its text: sections, authors, addenda, codes."""

import pytest

from dicom_nodes.flows.take_report import report_id_of
from dicom_nodes.hl7.faults import Hl7Fault
from dicom_nodes.hl7.oru import read_oru, read_reports
from dicom_nodes.model.report import AlertCode, ReportAuthor
from tests.fakes.report_samples import MSH, NHS_NUMBER, OBR, ORC, PID, TEXT, UID, field, oru

OTHER_ORC = "ORC|RE||RXN000999^^^RXN"


def text(code: str, words: str, status: str = "F", **fields: str) -> str:
    segment = f"OBX|1|FT|{code}||{words}||||||{status}"
    for number, value in fields.items():
        segment = field(segment, int(number.removeprefix("_")), value)
    return segment


def test_orders_of_several_accessions_are_several_reports_each_with_its_own() -> None:
    raw = oru(MSH, PID, ORC, OBR, UID, TEXT, OTHER_ORC, field(OBR, 25, "P"), text("X", "Chest clear.", "P"))
    head, chest = read_reports(raw)
    assert [(one.accession_number, one.status, one.text) for one in (head, chest)] == [
        ("RXN000123", "F", "No haemorrhage."),
        ("RXN000999", "P", "Chest clear."),
    ]
    assert (head.study_instance_uid is None, chest.study_instance_uid) == (False, None)
    assert {head.nhs_number, chest.nhs_number} == {NHS_NUMBER}
    assert {head.original, chest.original} == {raw}
    assert report_id_of(head) != report_id_of(chest)
    with pytest.raises(Hl7Fault, match="expected one report, found 2"):
        read_oru(raw)


def test_the_first_reports_id_is_what_it_always_was() -> None:
    one, two = read_reports(oru(MSH, PID, ORC, OBR, TEXT, OTHER_ORC, OBR, TEXT))
    assert (one.part, two.part) == (1, 2)
    assert report_id_of(read_oru(oru(MSH, PID, ORC, OBR, TEXT))) == "8b4ccc2e-d84a-52b7-a12d-75c42e586ad7"


def test_orders_of_one_accession_are_one_report() -> None:
    (report,) = read_reports(oru(MSH, PID, ORC, OBR, TEXT, ORC, OBR, text("X", "And the neck.")))
    assert report.text == "No haemorrhage.\nAnd the neck."


def test_notes_of_an_order_stay_with_its_report() -> None:
    notes = ["ORC|RE||RXN000999^^^RXN", "NTE|1||before", OBR, "NTE|1||behind"]
    _, second = read_reports(oru(MSH, PID, "NTE|1||of the patient", ORC, OBR, TEXT, *notes, text("X", "Clear.")))
    assert second.text == "before\nbehind\nClear."


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ([ORC, OBR, UID, OTHER_ORC, OBR, TEXT], "OBR"),
        ([ORC, OBR, TEXT, OTHER_ORC, OBR], r"OBR\[2\]"),
        ([ORC, OBR, TEXT, OTHER_ORC, OBR, TEXT, "ORC|RE", OBR, TEXT], r"ORC\[3\]-3"),
        ([ORC, OBR, TEXT, OTHER_ORC, field(OBR, 25, "Q"), TEXT], r"OBR\[2\]-25"),
    ],
)
def test_one_report_that_cannot_be_told_refuses_the_whole_message(lines: list[str], place: str) -> None:
    with pytest.raises(Hl7Fault, match=f"^{place}: "):
        read_reports(oru(MSH, PID, *lines))


def titles(*lines: str) -> list[tuple[str, str]]:
    return [(one.title, one.text) for one in read_oru(oru(MSH, PID, ORC, OBR, *lines)).sections]


def test_sections_are_runs_of_one_observation_code() -> None:
    lines = [
        text("59776-5^Findings^LN", r"T1\T\T2"),
        text("59776-5^Findings^LN", "second line"),
        "NTE|1||a note",
        text("19005-8^Impression^LN", "Normal."),
        text("71020&REC^Chest^L", "None."),
    ]
    assert titles(*lines) == [
        ("Findings", "T1&T2\nsecond line\na note"),
        ("Impression", "Normal."),
        ("Recommendation", "None."),
    ]


def test_sections_are_found_by_headings_where_all_text_has_one_code() -> None:
    words = r"CT head.\.br\CLINICAL HISTORY: fall\.br\Findings\.br\No bleed.\.br\No mass.\.br\IMPRESSION:\.br\Normal."
    assert titles(text("18748-4^Report^LN", words)) == [
        ("", "CT head."),
        ("CLINICAL HISTORY", "fall"),
        ("Findings", "No bleed.\nNo mass."),
        ("IMPRESSION", "Normal."),
    ]
    assert titles(text("18748-4^Report^LN", "Findings are normal. Impression unchanged.")) == []


@pytest.mark.parametrize(
    ("lines", "addendum"),
    [
        ([text("71020&ADT^Chest^L", "Also a nodule.", "C")], True),
        ([text("55107-7^Addendum Document^LN", "Also a nodule.", "C")], True),
        ([text("X^Addendum^L", "Also a nodule.", "C")], True),
        ([text("18748-4^Report^LN", r"ADDENDUM 2:\.br\Also a nodule.", "C")], True),
        ([text("18748-4^Report^LN", "Addendum: also a nodule.", "C")], True),
        ([text("X^Report^L", "Clear.", "C"), text("X^Addendum^L", "Also a nodule.", "C")], False),
        ([text("18748-4^Report^LN", r"Clear.\.br\ADDENDUM\.br\Also a nodule.", "C")], False),
        ([text("18748-4^Report^LN", r"ADDENDUM\.br\Nodule.\.br\ORIGINAL REPORT\.br\Clear.", "C")], False),
        ([text("18748-4^Report^LN", "No addendum: needed.", "C")], False),
    ],
)
def test_an_addendum_is_text_of_which_every_part_is_one(lines: list[str], addendum: bool) -> None:
    report = read_oru(oru(MSH, PID, ORC, field(OBR, 25, "C"), *lines))
    assert (report.addendum, report.status) == (addendum, "C")


@pytest.mark.parametrize(
    ("obr_25", "code", "status"), [("A", "X^Report^L", "P"), ("A", "X^Addendum^L", "F"), ("X", "X^Report^L", "X")]
)
def test_a_status_is_never_taken_for_more_than_it_says(obr_25: str, code: str, status: str) -> None:
    assert read_oru(oru(MSH, PID, ORC, field(OBR, 25, obr_25), text(code, "Clear.", ""))).status == status


def test_a_cancelled_report_needs_no_text() -> None:
    report = read_oru(oru(MSH, PID, ORC, field(OBR, 25, "X"), UID))
    assert (report.status, report.text) == ("X", "")


OKAFOR, LUND = ReportAuthor("C1234567", "Okafor^Ada"), ReportAuthor("C7654321", "Lund^Siân")


def people(obr: str = field(OBR, 32, ""), orc: str = ORC, **of_text: str) -> tuple[ReportAuthor, ...]:
    return read_oru(oru(MSH, PID, orc, obr, text("X", "Clear.", **of_text))).authors


@pytest.mark.parametrize(
    ("obr_32", "registration"),
    [
        ("1234567^Okafor^Ada^^^^^^GMC", "C1234567"),
        ("C1234567^Okafor^Ada^^^^^^GMC&2.16.840.1&ISO", "C1234567"),
        ("1234567&Okafor&Ada&&&&&&GMC", "C1234567"),
        ("RA12345^Okafor^Ada^^^^^^HCPC", "RA12345"),
        ("okafora^Okafor^Ada^^^^^^RXL~1234567^Okafor^Ada^^^^^^GMC", "C1234567"),
        ("okafora^Okafor^Ada^^^^^^RXL", None),
        ("C1234567^Okafor^Ada", "C1234567"),
    ],
)
def test_a_registration_counts_by_who_gave_it(obr_32: str, registration: str | None) -> None:
    assert people(field(OBR, 32, obr_32)) == (ReportAuthor(registration, "Okafor^Ada"),)


def test_everybody_named_is_an_author_verifier_or_assistant() -> None:
    obr = field(OBR, 32, "C1234567&Okafor&Ada")
    for number, value in ((33, "C7654321&Lund&Siân"), (35, "T1&Typist&Tom")):
        obr = field(obr, number, value)
    orc = field(field(ORC, 11, "1111111^Check^Chris^^^^^^GMC"), 12, "2222222^Referrer^Ann^^^^^^GMC")
    assert [(one.registration, one.role) for one in people(obr, orc, _16="C1234567^Okafor^Ada")] == [
        ("C1234567", "author"),
        ("C1111111", "verifier"),
        ("C7654321", "assistant"),
        ("T1", "assistant"),
    ]


def test_who_signs_is_the_responsible_observer_or_the_verifier_where_no_interpreter_is_named() -> None:
    assert people(_16="1234567^Okafor^Ada^^^^^^GMC") == (OKAFOR,)
    assert people(orc=field(ORC, 11, "7654321^Lund^Siân^^^^^^GMC")) == (LUND,)


def test_nobody_signs_where_several_could() -> None:
    report = read_oru(
        oru(MSH, PID, ORC, field(OBR, 32, ""), text("X", "a", _16="C1^A^A"), text("X", "b", _16="C2^B^B"))
    )
    assert report.author_registration is None
    assert [one.role for one in report.authors] == ["verifier", "verifier"]


def test_codes_are_carried_and_stay_in_the_text() -> None:
    alert = "OBX|3|CWE|ALERT^Alert^99RXN||CR1^Critical finding^99RXN~L9^^99RXN^^Alt^||AA|||F"
    report = read_oru(oru(MSH, PID, ORC, OBR, UID, text("18748-4^Report^LN", "Bleed."), alert))
    assert report.text == "Bleed.\nAlert: Critical finding (99RXN CR1)\nAlert: Alt (99RXN L9)"
    assert report.alert_codes[:3] == (
        AlertCode("18748-4", "LN", "Report"),
        AlertCode("ALERT", "99RXN", "Alert"),
        AlertCode("CR1", "99RXN", "Critical finding"),
    )
    assert not [code for code in report.alert_codes if code.value in {"AA", "113014"}]
