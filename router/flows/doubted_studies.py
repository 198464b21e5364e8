"""Whether it is doubted whose study one is: then nothing of it is taken, sent or settled.

Asked of the conflict itself too, and not of its human-queue item alone.
"""

from router.flows.ports import Transaction
from router.model.errors import Conflict


def is_doubted(tx: Transaction, study_instance_uid: str, origin: str) -> bool:
    """Whether a conflict about the study waits for a person, or a change of its patient for two."""
    return tx.queue.is_open("study_conflict", study_instance_uid, origin) or tx.patient_conflicts.is_undecided(
        study_instance_uid
    )


def refuse_in_conflict(tx: Transaction, study_instance_uid: str, origin: str) -> None:
    """Nothing goes home while it is doubted whose study it is.

    Raises:
        Conflict: persons have to settle that first.
    """
    refuse_undecided(tx, study_instance_uid)
    if tx.queue.is_open("study_conflict", study_instance_uid, origin):
        raise Conflict("a conflict about this study is open; resolve it first")


def refuse_undecided(tx: Transaction, study_instance_uid: str) -> None:
    """No report goes out under a number that two persons have yet to judge.

    Raises:
        Conflict: they have to do so first.
    """
    if tx.patient_conflicts.is_undecided(study_instance_uid):
        raise Conflict("a change of this study's patient waits for two persons (patient-conflicts); decide it first")
