"""The studies that a report may be of: by Study Instance UID, or by its accession number of its issuer."""

from router.flows.ports import Transaction
from router.model.report import Report
from router.model.study import Study
from router.rules.report_matching import ReportIdentity, as_known_to


def identity_in(report: Report) -> ReportIdentity:
    """What the report says it is of."""
    return ReportIdentity(report.study_instance_uid, report.accession_number, report.accession_issuer, report.patient)


def candidates(tx: Transaction, identity: ReportIdentity) -> list[Study]:
    """Studies with this Study Instance UID, or with this accession number of this issuer."""
    found: dict[str, Study] = {}
    if identity.study_instance_uid:
        study = tx.studies.get(identity.study_instance_uid)
        if study is not None:
            found[study.study_instance_uid] = as_known_to(identity, study)
    if identity.accession_number and identity.accession_issuer:
        for study in tx.studies.by_accession(identity.accession_number, identity.accession_issuer):
            found[study.study_instance_uid] = as_known_to(identity, study)
    return list(found.values())
