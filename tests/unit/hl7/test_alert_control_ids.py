"""A RIS tells a repeat of an alert by its control id; the same alert under another number is none."""

from dataclasses import replace
from datetime import UTC, date, datetime

from dicom_nodes.hl7.alert_oru import alert_control_id
from dicom_nodes.model.alert_notice import AlertNotice

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
NOTICE = AlertNotice(
    alert_id="alert-1",
    notification_id="told-1",
    report_id=None,
    code=("CRITICAL", "99ALERT", None),
    category="critical",
    urgency="critical",
    level=1,
    raised_at=NOW,
    deadline_at=NOW,
    link=None,
    report_place=None,
    study_instance_uid="1.2.3",
    accession_number="A1",
    accession_issuer="RXN",
    patient_id="H100200",
    patient_id_issuer="RXN",
    nhs_number="9990000018",
    birth_date=date(1950, 2, 3),
    patient_name=None,
    patient_sex=None,
)


def test_the_same_notification_under_another_number_is_no_repeat() -> None:
    moved = replace(NOTICE, patient_id="H900900", has_moved=True)
    again = replace(moved, nhs_number="9990000026")
    assert len({alert_control_id(notice) for notice in (NOTICE, moved, again)}) == 3
    assert alert_control_id(moved) == alert_control_id(replace(moved, link="https://another.test/link"))
