"""Performed and scheduled procedure steps as rows; performing a step takes it off the worklist in the same commit."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from dicom_nodes.contract import ProcedureStepChanged
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.database import Database
from dicom_nodes.foundation.jobs import JobQueue
from dicom_nodes.model.attributes import Attributes, items_of, text_of
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.model.errors import OperationRefused
from dicom_nodes.model.procedure import (
    PerformedStep,
    ScheduleState,
    StepState,
)
from dicom_nodes.rules.procedure_step import announcements_of, studies_of
from dicom_nodes.spool.announcements import announce
from dicom_nodes.spool.outbox import SqlOutbox
from dicom_nodes.spool.service_tables import procedure_step, procedure_step_study, scheduled_step

_SCHEDULE_STATE = {
    StepState.IN_PROGRESS: ScheduleState.STARTED,
    StepState.COMPLETED: ScheduleState.COMPLETED,
    StepState.DISCONTINUED: ScheduleState.DISCONTINUED,
}
_PAGE = 200


class SqlProcedureSteps:
    """Implements `ProcedureSteps`."""

    def __init__(self, database: Database, jobs: JobQueue, outbox: SqlOutbox, clock: Clock) -> None:
        self._database, self._jobs, self._outbox, self._clock = database, jobs, outbox, clock

    def create(self, step: PerformedStep) -> None:
        now, uid = self._clock(), step.sop_instance_uid
        try:
            with self._database.write() as connection:
                connection.execute(
                    insert(procedure_step).values(
                        sop_instance_uid=uid,
                        state=step.state.value,
                        performed_by=step.performed_by,
                        attributes=step.attributes,
                        lists_instances=False,
                        created_at=now,
                        changed_at=now,
                    )
                )
                rows = [{"study_instance_uid": study, "sop_instance_uid": uid} for study in studies_of(step)]
                connection.execute(insert(procedure_step_study), rows)
                self._tell(connection, step)
        except IntegrityError:
            raise OperationRefused(Status.DUPLICATE_SOP_INSTANCE, "a step with this UID is here already") from None

    def change(
        self, sop_instance_uid: str, change: Callable[[PerformedStep], PerformedStep], check_at: datetime
    ) -> PerformedStep:
        here = procedure_step.c.sop_instance_uid == sop_instance_uid
        with self._database.write() as connection:
            row = connection.execute(select(procedure_step).where(here).with_for_update()).one_or_none()
            if row is None:
                raise OperationRefused(Status.NO_SUCH_SOP_INSTANCE, "no such procedure step")
            known = PerformedStep(sop_instance_uid, StepState(row.state), row.performed_by, row.attributes)
            step = change(known)
            announcements = announcements_of(step)
            connection.execute(
                update(procedure_step)
                .where(here)
                .values(
                    state=step.state.value,
                    attributes=step.attributes,
                    lists_instances=bool(announcements),
                    changed_at=self._clock(),
                )
            )
            for announcement in announcements:
                announce(connection, self._jobs, announcement, self._clock(), check_at)
            self._tell(connection, step)
            return step

    def _tell(self, connection: Connection, step: PerformedStep) -> None:
        for item in items_of(step.attributes, "ScheduledStepAttributesSequence"):
            _take_off_the_worklist(connection, item, _SCHEDULE_STATE[step.state], self._clock())
        self._outbox.append(connection, _fact(step))


def _take_off_the_worklist(connection: Connection, item: Attributes, state: ScheduleState, now: datetime) -> None:
    """By study and, where the modality names it, step: a Study Instance UID is the world's, an id is not."""
    step, study, step_id = (
        scheduled_step.c,
        text_of(item, "StudyInstanceUID"),
        text_of(item, "ScheduledProcedureStepID"),
    )
    if not study:
        return
    here = (step.study_instance_uid == study) & (step.state != ScheduleState.CANCELLED.value)
    if step_id:
        here &= step.step_id == step_id
    connection.execute(update(scheduled_step).where(here).values(state=state.value, changed_at=now))


def _fact(step: PerformedStep) -> ProcedureStepChanged:
    series = items_of(step.attributes, "PerformedSeriesSequence")
    announced = announcements_of(step)
    return ProcedureStepChanged.model_validate(
        {
            "procedure_step_uid": step.sop_instance_uid,
            "state": step.state.value,
            "study_instance_uids": studies_of(step),
            "performed_by": step.performed_by,
            "modality": text_of(step.attributes, "Modality"),
            "series_count": len(series),
            "instance_count": sum(len(one.instances) for one in announced) if announced else None,
        }
    )
