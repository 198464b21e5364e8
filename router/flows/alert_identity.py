"""Under which number the RIS is told of an alert: the patient's present one when the order is handed to the node.

An order may wait for its node through a merge. What contradicts stops no alert: it goes out as the images say.
"""

from dicom_nodes.contract import TellRis
from router.flows.images import patient_identity
from router.flows.ports import Transaction


def as_of_now(tx: Transaction, body: TellRis) -> TellRis:
    """The order with who the patient is now."""
    study = tx.studies.get(body.study.study_instance_uid)
    if study is None:
        return body
    present = None if study.present_patient is None else patient_identity(study.present_patient)
    return body.model_copy(update={"present_patient": present})
