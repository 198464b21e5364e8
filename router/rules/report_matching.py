"""Which study a report is of. Only issuer-qualified identity joins; every identifier that is given must agree.

A bare patient id or accession (without issuer) can refuse a match, never make one. At least one patient identifier
must agree positively: the qualified patient id, or a valid NHS number. Reasons hold no identifiers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dicom_nodes.foundation.nhs_number import is_nhs_number
from router.model.study import PatientKey, Study


@dataclass(frozen=True, slots=True)
class ReportIdentity:
    """What a report says it is of."""

    study_instance_uid: str | None
    accession_number: str | None
    accession_issuer: str | None
    patient: PatientKey


@dataclass(frozen=True, slots=True)
class Matched:
    study: Study
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """More than one study agrees with everything that is given."""

    study_instance_uids: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unmatched:
    reasons: tuple[str, ...]


Match = Matched | Ambiguous | Unmatched


def match_report(report: ReportIdentity, candidates: Sequence[Study]) -> Match:
    """Match against studies found by Study Instance UID or by (accession issuer, accession)."""
    joined = [study for study in candidates if _joins(report, study)]
    if not joined:
        return Unmatched(tuple(_why_nothing_joins(report)))
    agreeing: list[tuple[Study, tuple[str, ...]]] = []
    for study in joined:
        proofs = tuple(_patient_proofs(report.patient, study.patient))
        if proofs and not any(_conflicts(report, study)):
            agreeing.append((study, proofs))
    if len(agreeing) == 1:
        return Matched(agreeing[0][0], agreeing[0][1])
    if agreeing:
        uids = tuple(sorted(study.study_instance_uid for study, _ in agreeing))
        return Ambiguous(uids, (f"{len(agreeing)} studies agree with everything the report gives",))
    return Unmatched(tuple(dict.fromkeys(_why_none_agrees(report, joined))))


def contradictions(report: ReportIdentity, study: Study) -> tuple[str, ...]:
    """What the report says of itself that this study denies; a person may not overrule it."""
    return tuple(_conflicts(report, as_known_to(report, study)))


def as_known_to(report: ReportIdentity, study: Study) -> Study:
    """The study under the identity that the report means: that of its images, or the present one (ADR 113)."""
    if study.present_patient is None or isinstance(match_report(report, [study]), Matched):
        return study
    return replace(study, patient=study.present_patient)


def _joins(report: ReportIdentity, study: Study) -> bool:
    if report.study_instance_uid is not None and report.study_instance_uid == study.study_instance_uid:
        return True
    return bool(
        report.accession_issuer
        and report.accession_number
        and report.accession_issuer == study.accession_issuer
        and report.accession_number == study.accession_number
    )


def _why_nothing_joins(report: ReportIdentity) -> Iterator[str]:
    if report.study_instance_uid is not None:
        yield "no study with this Study Instance UID is known"
    elif report.accession_number and not report.accession_issuer:
        yield "the accession number has no issuer, so it joins nothing"
    if report.accession_number and report.accession_issuer:
        yield "no study with this accession number of this issuer is known"
    if report.study_instance_uid is None and not report.accession_number:
        yield "the report names neither a study nor an accession number"


def _why_none_agrees(report: ReportIdentity, joined: Sequence[Study]) -> Iterator[str]:
    """Of the study that the UID names, where it is one of them: what others contradict too says nothing of it."""
    named = [study for study in joined if study.study_instance_uid == report.study_instance_uid]
    others = [study for study in joined if study not in named]
    if any(_accessions_differ(report, study) for study in named) and others:
        yield "the Study Instance UID is of one study, the accession number of another"
        yield from _whose_patient(report, named, others)
        return
    for study in named or joined:
        against = tuple(_conflicts(report, study))
        yield from against
        if not against:
            yield "no patient identifier agrees: neither the qualified patient id nor a valid NHS number"


def _whose_patient(report: ReportIdentity, named: Sequence[Study], others: Sequence[Study]) -> Iterator[str]:
    by_uid, by_accession = (any(_is_of(report.patient, study) for study in these) for these in (named, others))
    if by_uid is not by_accession:
        yield f"the patient's identifiers are those of the {'first' if by_uid else 'second'}"
    elif not by_uid:
        yield "the patient's identifiers are those of neither"


def _is_of(given: PatientKey, study: Study) -> bool:
    return any(_patient_proofs(given, study.patient)) and not any(_patients_differ(given, study.patient))


def _conflicts(report: ReportIdentity, study: Study) -> Iterator[str]:
    if report.study_instance_uid is not None and report.study_instance_uid != study.study_instance_uid:
        yield "the Study Instance UID differs"
    if _accessions_differ(report, study):
        yield "the accession number or its issuer differs"
    yield from _patients_differ(report.patient, study.patient)


def _accessions_differ(report: ReportIdentity, study: Study) -> bool:
    return _differ(report.accession_issuer, report.accession_number, study.accession_issuer, study.accession_number)


def _patients_differ(given: PatientKey, known: PatientKey) -> Iterator[str]:
    if _differ(given.issuer, given.patient_id, known.issuer, known.patient_id):
        yield "the patient id or its issuer differs"
    if given.nhs_number and known.nhs_number and given.nhs_number != known.nhs_number:
        yield "the NHS number differs"
    if given.birth_date and known.birth_date and given.birth_date != known.birth_date:
        yield "the birth date differs"


def _differ(issuer: str | None, value: str | None, known_issuer: str | None, known_value: str | None) -> bool:
    if not value or not known_value:
        return False
    return value != known_value or bool(issuer and known_issuer and issuer != known_issuer)


def _patient_proofs(given: PatientKey, known: PatientKey) -> Iterator[str]:
    if given.issuer and given.patient_id and (given.issuer, given.patient_id) == (known.issuer, known.patient_id):
        yield "the qualified patient id agrees"
    if given.nhs_number and given.nhs_number == known.nhs_number and is_nhs_number(given.nhs_number):
        yield "the NHS number agrees"
