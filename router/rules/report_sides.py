"""A held report beside a read it may be of: what each says of study and patient, for the person who decides.

These values are patient data: they are shown to staff who ask, and written into no reason, ledger or log.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from router.model.study import Study
from router.rules.report_matching import ReportIdentity

Verdict = Literal["same", "differs", "not said"]


@dataclass(frozen=True, slots=True)
class Compared:
    """One identifier on both sides."""

    what: str
    report: str | None
    read: str | None
    verdict: Verdict


def compare(report: ReportIdentity, study: Study) -> tuple[Compared, ...]:
    """Every identifier that either side gives."""
    return tuple(one for one in _all(report, study) if one.report or one.read)


def _all(report: ReportIdentity, study: Study) -> Iterator[Compared]:
    given, known = report.patient, study.patient
    pairs = (
        ("Study Instance UID", report.study_instance_uid, study.study_instance_uid),
        ("accession number", report.accession_number, study.accession_number),
        ("accession issuer", report.accession_issuer, study.accession_issuer),
        ("patient id", given.patient_id, known.patient_id),
        ("patient id issuer", given.issuer, known.issuer),
        ("NHS number", given.nhs_number, known.nhs_number),
        ("birth date", _day(given.birth_date), _day(known.birth_date)),
    )
    for what, said, is_known in pairs:
        yield Compared(what, said, is_known, _verdict(said, is_known))


def _day(day: object) -> str | None:
    return None if day is None else str(day)


def _verdict(said: str | None, known: str | None) -> Verdict:
    if not said or not known:
        return "not said"
    return "same" if said == known else "differs"
