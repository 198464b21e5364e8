"""Reads `assumptions.toml`: the only place where the simulator's figures come from."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dicom_nodes.foundation.settings_file import Settings, load_settings

BUILT_IN = Path(__file__).with_name("assumptions.toml")

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Window = tuple[int, int]
Source = Literal["elective", "inpatient", "emergency"]


class Pathway(Settings):
    rank: int
    target: Positive
    weight: Positive
    source: Source
    acute: bool = False
    may_wait: bool = False


class Exam(Settings):
    modality: str
    subspecialty: str
    level: Annotated[int, Field(ge=1, le=3)]
    minutes: Positive
    sigma: Annotated[float, Field(ge=0, le=2)]
    share: Annotated[float, Field(ge=0)]
    mix: dict[str, Positive]


class Hours(Settings):
    by_hour: Annotated[list[float], Field(min_length=24, max_length=24)]
    by_day: Annotated[list[float], Field(min_length=7, max_length=7)]


class Reading(Settings):
    out_of_subspecialty: Annotated[float, Field(ge=1)]
    cross_trust: Annotated[float, Field(ge=1)]
    personal_sigma: Annotated[float, Field(ge=0)]
    interruptions_per_hour: Annotated[float, Field(ge=0)]
    interruption_minutes: Annotated[float, Field(ge=0)]
    leave_share: Share
    sick_share: Share


class Rota(Settings):
    morning: Window
    afternoon: Window
    stagger: Annotated[int, Field(ge=0, le=120)]
    evening: Window
    night: list[Window]
    weekend: list[Window]
    core_sessions: Annotated[int, Field(ge=1, le=10)]
    radiographer_sessions: Annotated[int, Field(ge=1, le=10)]
    staffing: Positive
    radiographer_share: Share
    second_interest: Share


class Waiting(Settings):
    """Hours of arrivals that wait when the simulation opens."""

    inpatient: float
    cancer: float
    urgent: float
    routine: float


class Aid(Settings):
    share_out: Annotated[float, Field(ge=0)]
    acute_reserve: Share


class Trust(Settings):
    ods: str
    name: str
    share: Share
    staffing: Positive
    acute: Annotated[float, Field(ge=0)] = 1.0
    night: Annotated[int, Field(ge=0)] = 1
    only: dict[str, float] = Field(default_factory=dict)
    reads_for: list[str] | None = None


class RegionSettings(Settings):
    name: str
    studies: Annotated[int, Field(gt=0)]
    struck: str
    trusts: Annotated[list[Trust], Field(min_length=1)]


class ReadersLost(Settings):
    share: Share
    trust: str | None = None
    subspecialty: str | None = None


class Demand(Settings):
    """More or fewer of the exams that all the given words fit; `pathway = "cancer"` fits every cancer pathway."""

    times: Annotated[float, Field(ge=0)]
    exam: str | None = None
    modality: str | None = None
    pathway: str | None = None
    trust: str | None = None

    def fits(self, trust: str, exam: str, modality: str, pathway: str) -> bool:
        wanted = (self.trust, self.exam, self.modality)
        said = zip(wanted, (trust, exam, modality), strict=True)
        if any(want is not None and want != is_ for want, is_ in said):
            return False
        return self.pathway is None or pathway == self.pathway or pathway.startswith(self.pathway + "_")


class CutOff(Settings):
    trust: str
    from_hour: float
    to_hour: float


class ScenarioSettings(Settings):
    says: str
    readers_lost: ReadersLost | None = None
    demand: list[Demand] = Field(default_factory=list)
    cut_off: CutOff | None = None
    waiting_times: Annotated[float, Field(ge=0)] = 1.0


class Assumptions(Settings):
    pathways: dict[str, Pathway]
    exams: dict[str, Exam]
    hours: dict[Source, Hours]
    reading: Reading
    rota: Rota
    waiting: Waiting
    aid: Aid
    regions: dict[str, RegionSettings]
    scenarios: dict[str, ScenarioSettings]

    @model_validator(mode="after")
    def _names_are_known(self) -> "Assumptions":
        for exam_id, exam in self.exams.items():
            _known(f"exams.{exam_id}.mix", exam.mix, self.pathways)
        for region_id, region in self.regions.items():
            ods = [trust.ods for trust in region.trusts]
            if len(set(ods)) != len(ods):
                raise ValueError(f"regions.{region_id}.trusts: a trust is listed twice")
            _known(f"regions.{region_id}.struck", [region.struck], ods)
            for trust in region.trusts:
                _known(f"regions.{region_id}.trusts.{trust.ods}.only", trust.only, self.exams)
                _known(f"regions.{region_id}.trusts.{trust.ods}.reads_for", trust.reads_for or (), ods)
        return self


def _known(where: str, names: Iterable[str], known: Iterable[str]) -> None:
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(f"{where}: unknown {', '.join(unknown)}; expected of {', '.join(known)}")


def load_assumptions(file: Path | None = None) -> Assumptions:
    """The built-in assumptions, or those of `file`.

    Raises:
        SettingsError: the file cannot be read, or says what makes no sense.
    """
    return load_settings(file or BUILT_IN, Assumptions)
