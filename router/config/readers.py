"""`readers.toml`: who reads, what, for whom, when and where."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, model_validator

from dicom_nodes.foundation.settings_file import AeTitle, OdsCode, Settings
from router.code_map import LevelName, Modality

Registration = Annotated[str, Field(pattern=r"^[A-Z]{1,4}[0-9]{5,8}$")]
ProfessionName = Literal["consultant", "registrar", "reporting_radiographer"]
SessionKindName = Literal["acute", "on_call", "inpatient", "cancer", "elective", "out_of_hours"]


class WorkstationSeed(Settings):
    """The workstation images are delivered to, and the node that delivers them."""

    node: OdsCode
    ae_title: AeTitle


class CredentialSeed(Settings):
    """The right to read for a trust, from `valid_from` to just before `valid_until`."""

    trust: OdsCode
    valid_from: AwareDatetime
    valid_until: AwareDatetime

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "CredentialSeed":
        if self.valid_until <= self.valid_from:
            raise ValueError("valid_until: must be later than valid_from")
        return self


class SessionSeed(Settings):
    """A booked block of reading time with room for so many reads, or so many minutes."""

    start: AwareDatetime
    end: AwareDatetime
    capacity_reads: int | None = Field(default=None, ge=1)
    capacity_minutes: float | None = Field(default=None, gt=0)
    kind: SessionKindName = "elective"

    @model_validator(mode="after")
    def _says_how_much(self) -> "SessionSeed":
        if self.end <= self.start:
            raise ValueError("end: must be later than start")
        if (self.capacity_reads is None) == (self.capacity_minutes is None):
            raise ValueError("expected exactly one of capacity_reads and capacity_minutes")
        return self


class OutsourcerSeed(Settings):
    """A company that reads at a fixed rate; `queue_limit` reads may wait with it at once."""

    price_pence_per_read: int = Field(ge=0)
    queue_limit: int = Field(ge=1)


class ReaderSeed(Settings):
    """`levels` may name subspecialties beside those listed; one that is only listed counts as general."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    name: str = Field(min_length=1)
    registration: Registration
    employer: OdsCode
    modalities: tuple[Modality, ...]
    subspecialties: tuple[str, ...]
    workstation: WorkstationSeed
    credentials: tuple[CredentialSeed, ...] = ()
    sessions: tuple[SessionSeed, ...] = ()
    profession: ProfessionName = "consultant"
    levels: dict[str, LevelName] = Field(default={})
    exam_scope: tuple[str, ...] | None = Field(default=None, description="exam groups or standard codes")
    max_run: int | None = Field(default=None, ge=1)
    break_after_minutes: int | None = Field(default=None, ge=1)
    display_valid_until: AwareDatetime | None = None
    delivery: Literal["push", "pull"] = "push"
    outsourcer: OutsourcerSeed | None = None

    @model_validator(mode="after")
    def _radiographers_have_a_scope(self) -> "ReaderSeed":
        if self.profession == "reporting_radiographer" and not self.exam_scope:
            raise ValueError("exam_scope: a reporting radiographer must have one")
        return self


class ReadersFile(Settings):
    readers: tuple[ReaderSeed, ...] = ()
