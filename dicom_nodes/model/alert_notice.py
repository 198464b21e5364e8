"""An alert as this trust's RIS is told of it: no report, and no version of one."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class AlertNotice:
    """Under the identifiers of the trust's own images. Times are aware UTC."""

    alert_id: str
    notification_id: str
    report_id: str | None
    code: tuple[str, str, str | None]
    category: str
    urgency: str
    level: int
    raised_at: datetime
    deadline_at: datetime
    link: str | None
    report_place: str | None
    study_instance_uid: str
    accession_number: str | None
    accession_issuer: str | None
    patient_id: str | None
    patient_id_issuer: str | None
    nhs_number: str | None
    birth_date: date | None
    patient_name: str | None
    patient_sex: str | None
    has_moved: bool = False
    """As of `OutgoingReport`: the identifiers are the present ones by the trust's ADT, and others than the images'."""
