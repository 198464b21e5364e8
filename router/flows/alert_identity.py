"""Under which number the RIS is told of an alert: the patient's present one when the order is handed to the node.

An order may wait for its node through a merge. What contradicts stops no alert: it goes out as the images say.
"""

from dicom_nodes.contract import PatientIdentity, TellRis
from router.flows.images import patient_identity
from router.flows.ports import Transaction
from router.model.study import Study


def as_of_now(tx: Transaction, body: TellRis) -> TellRis:
    """The order with who the patient is now."""
    study = tx.studies.get(body.study.study_instance_uid)
    if study is None:
        return body
    return body.model_copy(update={"present_patient": present_number(tx, study)})


def present_number(tx: Transaction, study: Study) -> PatientIdentity | None:
    """Who the patient is now; None where that is as the images say, or while two persons have to judge it."""
    if study.present_patient is None or tx.patient_conflicts.is_undecided(study.study_instance_uid):
        return None
    return patient_identity(study.present_patient)
