"""A report that was refused: its original waits for a person, its alert for nobody (ADR 105, 122).

The alert is raised at the origin where the study can be told for certain, as of a report that is matched; else a
person is asked at once to read the original and telephone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from dicom_nodes.contract import ReportRefused
from router.flows.doubted_studies import is_doubted
from router.flows.human_queue import About, ask_a_person
from router.flows.ports import Transaction
from router.flows.raise_alert import raise_for_refusal, telephone_about_refused
from router.flows.report_candidates import candidates
from router.model.record import Entry
from router.model.report import AlertCode
from router.model.study import PatientKey, Study
from router.rules.report_matching import Matched, ReportIdentity, match_report


@dataclass(frozen=True, slots=True)
class RefusedCodes:
    """What a refused report says of alerts. `key` names it in the network, `original` says where a person finds it.

    `codes` are those that ask for an alert; not `looked_through`: there may be others.
    """

    key: str
    sender: str
    node: str | None
    original: str
    codes: tuple[AlertCode, ...]
    looked_through: bool = True
    changes: bool = False
    """It corrects or adds to an earlier report, or does not say."""


def take_refused(tx: Transaction, node: str, refused: ReportRefused, now: datetime) -> None:
    """A report that the node could not read: its original is there, and a person must look at it."""
    detail = {"channel": refused.channel, "answer": refused.answer, "reason": refused.reason}
    detail |= {"refusal_id": refused.refusal_id, "original_sha256": refused.original_digest}
    tx.ledger.append(Entry("report.refused", now, f"node {node}", node=node, detail=detail))
    reason = (
        f"node {node} could not read a report ({refused.channel}) and answered {refused.answer}: {refused.reason}. "
        f"The original is kept there: readacross refused, id {refused.refusal_id}"
    )
    ask_a_person(tx, "report_refused", reason, f"{node}:{refused.refusal_id}", now, About(node=node))
    original = f"readacross refused at node {node}, id {refused.refusal_id}"
    said = tuple(AlertCode(code.value, code.scheme, code.text) for code in refused.alert_codes)
    codes = tuple(code for code in said if tx.alert_codes.ask(code))
    key, seen = f"{node}:{refused.refusal_id}", refused.looked_through
    of = RefusedCodes(key, f"node {node}", node, original, codes, seen, refused.changes)
    raise_for_refused(tx, of, study_meant(tx, _identity(refused)), now)


def raise_for_refused(tx: Transaction, refused: RefusedCodes, study: Study | None, now: datetime) -> None:
    """Raise its alerts at the origin of `study`; None, or codes that nobody has seen: a person telephones."""
    left: Sequence[AlertCode] = refused.codes
    if study is not None:
        left = [code for code in refused.codes if not _is_raised(tx, refused, code, study, now)]
    if not left and refused.looked_through:
        return
    key = f"refused:{refused.key}"
    telephone_about_refused(tx, refused.sender, refused.original, bool(left), key, refused.node, now)


def study_meant(tx: Transaction, identity: ReportIdentity | None) -> Study | None:
    """The one study that everything said agrees with; None where that is not certain."""
    match = None if identity is None else match_report(identity, candidates(tx, identity))
    if not isinstance(match, Matched):
        return None
    uid, origin = match.study.study_instance_uid, match.study.origin
    return None if is_doubted(tx, uid, origin) else match.study


def _is_raised(tx: Transaction, refused: RefusedCodes, code: AlertCode, study: Study, now: datetime) -> bool:
    raised = partial(raise_for_refusal, tx, refused.key, code, study, refused.sender, refused.changes, now)
    return tx.attempt(raised) is None


def _identity(refused: ReportRefused) -> ReportIdentity | None:
    patient = refused.patient
    if patient is None:
        return None
    key = PatientKey(patient.issuer, patient.patient_id, patient.nhs_number, patient.birth_date)
    return ReportIdentity(refused.study_instance_uid, refused.accession_number, refused.accession_issuer, key)
