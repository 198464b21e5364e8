"""Changes of patients that contradict: both sides, and what two persons decide. Who looked is recorded."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from router.flows.settle_patient import confirm_change, propose_change, reject_change
from router.model.errors import NotFound
from router.model.patient_conflict import PatientConflict
from router.model.study_identity import PatientKey
from router.web.access_record import record_access
from router.web.errors import responses
from router.web.messages import ReasonBody
from router.web.security import Staff
from router.web.services import WithServices

router = APIRouter(prefix="/patient-conflicts", tags=["human queue"])
ConflictId = Annotated[str, Path(max_length=64)]


class IdentityView(BaseModel):
    issuer: str | None
    patient_id: str | None
    nhs_number: str | None
    birth_date: date | None


class PatientConflictView(BaseModel):
    id: str
    study_instance_uid: str
    origin: str
    how: str = Field(description="merged (A40), updated (A08) or unlinked (A37)")
    reason: str
    study_patient: IdentityView = Field(description="Who the study was known to be of when the message came")
    present: IdentityView = Field(description="The message's patient; of a merge, who survives")
    prior: IdentityView | None = Field(description="The number that ended; of an unlinking, the other person")
    told_at: datetime
    proposed_by: str | None
    proposed_why: str | None
    decided: str | None = Field(description="applied or rejected")
    decided_by: str | None


@router.get("", summary="Changes of patients that wait", responses=responses())
def get_conflicts(services: WithServices, caller: Staff) -> list[PatientConflictView]:
    """What nobody has decided, oldest first, with both sides. Until then no report of the study is taken."""
    with services.store.write() as tx:
        found = tx.patient_conflicts.undecided()
        studies = [conflict.study_instance_uid for conflict in found]
        record_access(tx, services, caller, "changes of patients that contradict", studies)
        return [_view(conflict) for conflict in found]


@router.get("/{conflict_id}", summary="One of them", responses=responses(404))
def get_conflict(conflict_id: ConflictId, services: WithServices, caller: Staff) -> PatientConflictView:
    """Both sides: who the study is known to be of, and what the trust's ADT says."""
    with services.store.write() as tx:
        found = tx.patient_conflicts.get(conflict_id)
        if found is None:
            raise NotFound("no such change of a patient")
        record_access(tx, services, caller, "a change of a patient that contradicts", [found.study_instance_uid])
        return _view(found)


@router.post("/{conflict_id}/propose", summary="Propose to carry it out", responses=responses(404, 409))
def post_propose(
    conflict_id: ConflictId, body: ReasonBody, services: WithServices, caller: Staff
) -> PatientConflictView:
    """Say that the change is right although it contradicts. Another person must confirm it."""
    with services.store.write() as tx:
        return _view(propose_change(tx, conflict_id, caller.name, body.reason, services.now()))


@router.post("/{conflict_id}/confirm", summary="Carry it out", responses=responses(404, 409))
def post_confirm(
    conflict_id: ConflictId, body: ReasonBody, services: WithServices, caller: Staff
) -> PatientConflictView:
    """A second person has looked at both sides: the study is known as the change says, and held reports go out."""
    with services.store.write() as tx:
        return _view(confirm_change(tx, conflict_id, caller.name, body.reason, services.now()))


@router.post("/{conflict_id}/reject", summary="Reject it", responses=responses(404, 409))
def post_reject(
    conflict_id: ConflictId, body: ReasonBody, services: WithServices, caller: Staff
) -> PatientConflictView:
    """The message is wrong; nothing is changed."""
    with services.store.write() as tx:
        return _view(reject_change(tx, conflict_id, caller.name, body.reason, services.now()))


def _view(conflict: PatientConflict) -> PatientConflictView:
    own = {name: getattr(conflict, name, None) for name in PatientConflictView.model_fields}
    sides = {name: _side(own[name]) for name in ("study_patient", "present", "prior")}
    return PatientConflictView.model_validate({**own, **sides})


def _side(key: PatientKey | None) -> IdentityView | None:
    if key is None:
        return None
    return IdentityView(
        issuer=key.issuer, patient_id=key.patient_id, nhs_number=key.nhs_number, birth_date=key.birth_date
    )
