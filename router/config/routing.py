"""`routing.toml`, `pathways.toml` and `aid.toml`: what becomes of an exam, how soon it is due, who reads for whom."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dicom_nodes.foundation.settings_file import OdsCode, Settings
from router.code_map import ExamGroup, LevelName, Modality, PathwayId
from router.config.readers import SessionKindName


class ExamRule(Settings):
    """What an exam is: found by procedure code, or by all its image modalities and (if given) the body part."""

    code: str | None = None
    scheme: str | None = None
    modalities: tuple[Modality, ...] = ()
    body_part: str | None = None
    subspecialty: str = Field(min_length=1)
    minutes: float = Field(gt=0)
    priority: str
    group: ExamGroup | None = None
    minimum_level: LevelName = "general"

    @model_validator(mode="after")
    def _has_one_key(self) -> "ExamRule":
        if (self.code is None) == (not self.modalities):
            raise ValueError("expected exactly one of code and modalities")
        if self.code is not None and self.body_part is not None:
            raise ValueError("body_part: goes with modalities, not with code")
        return self


class RoutingFile(Settings):
    """The exam table. A code the table does not hold goes to a person unless `unknown_code` says otherwise."""

    readable_modalities: tuple[Modality, ...]
    ignored_modalities: tuple[Modality, ...] = ("SR", "PR", "KO", "DOC")
    unknown_code: Literal["human_queue", "by_modality"] = "human_queue"
    priorities: dict[str, float] = Field(description="hours from the examination to the verified report")
    exams: tuple[ExamRule, ...]
    urgencies: dict[Literal["stat", "urgent", "soon", "routine"], str] = Field(
        default={}, description="priority by the urgency of an order, where that is shorter than the exam's"
    )
    suspected_cancer_priority: str | None = Field(
        default=None, description="priority of a read whose order says suspected cancer; none: a person is asked"
    )


class PathwaySeed(Settings):
    """How soon the verified report is due after the examination, and what a breach weighs beside others."""

    id: PathwayId
    target_minutes: float = Field(gt=0)
    weight: float = Field(gt=0)
    acute: bool = False
    may_wait: bool = Field(default=False, description="makes room when not all can be in time, and may then be late")
    session_kinds: tuple[SessionKindName, ...] = Field(default=(), description="in which it is read; none: in any")

    @model_validator(mode="after")
    def _no_emergency_waits(self) -> Self:
        if self.acute and self.may_wait:
            raise ValueError(f"pathway {self.id}: acute reads never wait, so may_wait must be false")
        return self


class PathwaysFile(Settings):
    pathways: tuple[PathwaySeed, ...] = ()


class AidSeed(Settings):
    """What a trust gives and takes in a day; a limit that is missing is none."""

    trust: OdsCode
    reads_for: tuple[OdsCode, ...] = ()
    minutes_out_per_day: float | None = Field(default=None, ge=0)
    minutes_in_per_day: float | None = Field(default=None, ge=0)
    group_minutes_out: dict[ExamGroup, Annotated[float, Field(ge=0)]] = Field(default={})
    group_minutes_in: dict[ExamGroup, Annotated[float, Field(ge=0)]] = Field(default={})
    acute_reserve: float = Field(default=0.2, ge=0, lt=1, description="share of every limit kept for acute reads")


class AidFile(Settings):
    aid: tuple[AidSeed, ...] = ()


def with_pathways(routing: RoutingFile, pathways: PathwaysFile) -> RoutingFile:
    """The exam table whose priorities include the pathways, each with its target; a priority of that name stays."""
    hours = {pathway.id: pathway.target_minutes / 60 for pathway in pathways.pathways}
    return routing.model_copy(update={"priorities": {**hours, **routing.priorities}})
