"""A report as it came in, and what became of it."""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from router.model.study import PatientKey


class Disposition(enum.StrEnum):
    """ACCEPTED goes on; WAITING lies in a human queue; DROPPED says nothing that a later or equal version does not."""

    ACCEPTED = "ACCEPTED"
    WAITING = "WAITING"
    DROPPED = "DROPPED"


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A part of the text under its heading; sections are a view, the report's `text` is the whole."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class ReportAuthor:
    registration: str | None
    name: str | None = None
    role: Literal["author", "verifier", "assistant"] = "author"


@dataclass(frozen=True, slots=True)
class AlertCode:
    """A coded value of a report that may mean an alert."""

    value: str
    scheme: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """`transaction_uid` is set only where the reader's system presented its fencing token.

    `registration` and `author_name` are those who sign; `authors` are all who are named. An `addendum` is an addition
    to an earlier verified report, not a replacement.
    """

    id: str
    node: str | None
    channel: str
    study_instance_uid: str | None
    accession_number: str | None
    accession_issuer: str | None
    patient: PatientKey
    status: str
    text: str
    registration: str | None
    author_name: str | None
    authored_at: datetime
    received_at: datetime
    original_reference: str | None = None
    original_digest: str | None = None
    transaction_uid: str | None = None
    disposition: Disposition = Disposition.WAITING
    read_id: str | None = None
    version: int | None = None
    reasons: tuple[str, ...] = ()
    sections: tuple[ReportSection, ...] = ()
    authors: tuple[ReportAuthor, ...] = ()
    addendum: bool = False
    alert_codes: tuple[AlertCode, ...] = ()


@dataclass(frozen=True, slots=True)
class HandMatch:
    """A person says that a report is of a read although identifiers contradict; a second person must check it."""

    report_id: str
    read_id: str
    proposed_by: str
    proposed_at: datetime
    reason: str
    contradictions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Original:
    """The bytes of a report, or of what could not be read as one, as they came to the router."""

    report_id: str
    media_type: str
    digest: str
    original: bytes
    received_at: datetime
