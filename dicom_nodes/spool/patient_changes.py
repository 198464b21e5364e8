"""Changes of patients on their way to the router: durable in the outbox before anybody is told that they were taken."""

from collections.abc import Sequence

from dicom_nodes.contract import PatientChanged, PatientIdentity
from dicom_nodes.foundation.database import Database
from dicom_nodes.model.patient_change import PatientChange, PatientIdentifiers
from dicom_nodes.spool.outbox import SqlOutbox


class SqlPatientChanges:
    """Implements `PatientChanges`."""

    def __init__(self, database: Database, outbox: SqlOutbox) -> None:
        self._database, self._outbox = database, outbox

    def take(self, changes: Sequence[PatientChange]) -> None:
        with self._database.write() as connection:
            self._outbox.append(connection, *(_fact(change) for change in changes))


def _fact(change: PatientChange) -> PatientChanged:
    return PatientChanged(
        present=_identity(change.present),
        prior=None if change.prior is None else _identity(change.prior),
        reference=change.control_id,
        unlinked=change.unlinked,
    )


def _identity(known: PatientIdentifiers) -> PatientIdentity:
    return PatientIdentity(
        issuer=known.issuer, patient_id=known.patient_id, nhs_number=known.nhs_number, birth_date=known.birth_date
    )
