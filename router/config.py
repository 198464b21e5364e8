"""The router's settings file and its seeds, read once at start: the only reader of them.

Seed files describe the network (`network.toml`), who reads (`readers.toml`), what becomes of an exam (`routing.toml`,
`codes/*.csv`), how soon (`pathways.toml`) and what trusts read for each other (`aid.toml`). They are checked against
each other here, so that a reader at an unknown node never starts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, ValidationInfo, model_validator

from dicom_nodes.foundation.settings_file import (
    AeTitle,
    HostPort,
    LocalPath,
    OdsCode,
    Settings,
    SettingsError,
    load_settings,
)
from router.alert_settings import AlertsFile, alert_problems
from router.code_map import ExamCodeRow, ExamGroup, LevelName, Modality, PathwayId, read_code_map

Registration = Annotated[str, Field(pattern=r"^[A-Z]{1,4}[0-9]{5,8}$")]
ProfessionName = Literal["consultant", "registrar", "reporting_radiographer"]
SessionKindName = Literal["acute", "on_call", "inpatient", "cancer", "elective", "out_of_hours"]


def _database_url(url: str, info: ValidationInfo) -> str:
    folder = (info.context or {}).get("folder")
    if not url.startswith(("sqlite://", "postgresql://", "postgresql+psycopg://")):
        raise ValueError("expected sqlite:///FILE or postgresql://USER@HOST:PORT/NAME")
    file = url.removeprefix("sqlite:///")
    if url == file or folder is None or file in {"", ":memory:"} or Path(file).is_absolute():
        return url
    return f"sqlite:///{Path(folder) / file}"


DatabaseUrl = Annotated[str, AfterValidator(_database_url)]


class SeedFiles(Settings):
    """Where the seeds lie, relative to the router's file."""

    network: LocalPath
    readers: LocalPath
    routing: LocalPath
    pathways: LocalPath | None = None
    aid: LocalPath | None = None
    codes: dict[OdsCode, LocalPath] = Field(default={}, description="a CSV file for each trust with a code map")
    rules: LocalPath | None = None


class Router(Settings):
    """Where the router listens and keeps its state, and how long each state of a read may last."""

    listen: HostPort = "127.0.0.1:8400"
    database_url: DatabaseUrl
    seeds: SeedFiles
    alerts: LocalPath | None = Field(default=None, description="who is told of critical alerts")
    plan_every_s: float = Field(default=5.0, gt=0)
    replan_every_s: float = Field(default=300.0, gt=0, description="how often all is planned and explained anew")
    claim_timeout_s: float = Field(default=3600.0, gt=0, description="ASSIGNED: unclaimed, offered again")
    list_length: int = Field(default=3, ge=1, le=1000, description="reads on a pushed list at most, acute ones apart")
    plan_ahead_every_s: float = Field(default=21600.0, gt=0, description="how often the region is planned ahead")
    heartbeat_timeout_s: float = Field(default=120.0, gt=0, description="READING: no heartbeat, lease lost")
    routing_timeout_s: float = Field(default=900.0, gt=0, description="RECEIVED: nobody said what exam it is")
    unassigned_timeout_s: float = Field(default=3600.0, gt=0, description="READY: no eligible reader")
    hold_timeout_s: float = Field(default=14_400.0, gt=0, description="ON_HOLD: question unanswered")
    final_timeout_s: float = Field(default=86_400.0, gt=0, description="PRELIMINARY: final report overdue")
    acknowledge_timeout_s: float = Field(default=3600.0, gt=0, description="VERIFIED: no application ACK")
    filing_timeout_s: float = Field(default=3600.0, gt=0, description="DELIVERED: not filed on every channel")
    past_due_again_s: float = Field(default=14_400.0, gt=0, description="past due, item resolved: asked again")
    node_silent_s: float = Field(default=300.0, gt=0, description="a node's traffic stopped")
    rules_need_second_person: bool = Field(default=False, description="who wrote a rule set may not let it in alone")
    longest_wait_s: float = Field(default=55.0, ge=0, description="upper limit of a node's long poll")


class RouterFile(Settings):
    """The router's file as it stands on disk."""

    router: Router


ReturnChannelName = Literal["ris", "archive", "pdf", "fhir"]
ANSWERING_CHANNELS = frozenset({"ris", "fhir"})
"""Channels whose answer is an application's; the others only say that a document is kept."""


class ReturnsSeed(Settings):
    """How a trust wants its reports back: the channels of its node's own file, and which of them close a read."""

    channels: tuple[ReturnChannelName, ...] = ("ris", "archive")
    closed_by: tuple[ReturnChannelName, ...] = ("ris", "archive")
    preliminary: bool = Field(default=False, description="send preliminary reports at once, not only final ones")
    phone_after_s: float = Field(default=7200.0, gt=0, description="not filed by then: somebody rings the trust up")

    @model_validator(mode="after")
    def _can_close_a_read(self) -> "ReturnsSeed":
        if len(set(self.channels)) != len(self.channels) or not self.channels:
            raise ValueError("channels: expected each channel once, and one at least")
        if not set(self.closed_by) <= set(self.channels):
            raise ValueError(f"closed_by: expected only channels that are used ({', '.join(self.channels)})")
        if not set(self.closed_by) & ANSWERING_CHANNELS:
            raise ValueError("closed_by: expected ris or fhir among them: an archive's receipt is no answer")
        return self


class TrustSeed(Settings):
    ods_code: OdsCode
    name: str = Field(min_length=1)
    returns: ReturnsSeed = ReturnsSeed()


class NodeSeed(Settings):
    """A node's DICOM address, which other nodes dial to fetch a study."""

    ods_code: OdsCode
    ae_title: AeTitle
    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65535)


class NetworkFile(Settings):
    trusts: tuple[TrustSeed, ...]
    nodes: tuple[NodeSeed, ...] = ()


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


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """The router's file with its seeds, checked against each other."""

    file: Path
    router: Router
    network: NetworkFile
    readers: ReadersFile
    routing: RoutingFile
    pathways: PathwaysFile = field(default_factory=PathwaysFile)
    aid: AidFile = field(default_factory=AidFile)
    alerts: AlertsFile = field(default_factory=AlertsFile)
    codes: Mapping[str, tuple[ExamCodeRow, ...]] = field(default_factory=dict)


def load_router_settings(file: Path) -> RouterSettings:
    """Read the router's file and its seeds.

    Raises:
        SettingsError: every problem of the first file that has any, with file, key and what was expected.
    """
    router = load_settings(file, RouterFile).router
    seeds = router.seeds
    pathways = PathwaysFile() if seeds.pathways is None else load_settings(seeds.pathways, PathwaysFile)
    settings = RouterSettings(
        file=file,
        router=router,
        network=load_settings(seeds.network, NetworkFile),
        readers=load_settings(seeds.readers, ReadersFile),
        routing=with_pathways(load_settings(seeds.routing, RoutingFile), pathways),
        pathways=pathways,
        aid=AidFile() if seeds.aid is None else load_settings(seeds.aid, AidFile),
        alerts=AlertsFile() if router.alerts is None else load_settings(router.alerts, AlertsFile),
        codes={trust: _load_codes(path) for trust, path in seeds.codes.items()},
    )
    for seed, problems in (
        (seeds.network, list(_network_problems(settings.network))),
        (seeds.readers, list(_reader_problems(settings))),
        (seeds.routing, list(_routing_problems(settings.routing))),
        (seeds.pathways or file, list(_pathway_problems(settings))),
        (seeds.aid or file, list(_aid_problems(settings))),
        (router.alerts or file, list(_alert_problems(settings))),
        (file, list(_code_problems(settings))),
    ):
        if problems:
            raise SettingsError(seed, problems)
    return settings


def with_pathways(routing: RoutingFile, pathways: PathwaysFile) -> RoutingFile:
    """The exam table whose priorities include the pathways, each with its target; a priority of that name stays."""
    hours = {pathway.id: pathway.target_minutes / 60 for pathway in pathways.pathways}
    return routing.model_copy(update={"priorities": {**hours, **routing.priorities}})


def _load_codes(file: Path) -> tuple[ExamCodeRow, ...]:
    try:
        rows, problems = read_code_map(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(file, [("(file)", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise SettingsError(file, [("(file)", "is not UTF-8 text")]) from None
    if problems:
        raise SettingsError(file, [(f"row {problem.row}", problem.reason) for problem in problems])
    return rows


def check_router_files(file: Path) -> list[str]:
    """Every problem of the router's file and its seeds as `file: key: reason`; empty when they can be used."""
    try:
        router = load_settings(file, RouterFile).router
    except SettingsError as error:
        return str(error).splitlines()
    problems: list[str] = []
    for seed, model in (
        (router.seeds.network, NetworkFile),
        (router.seeds.readers, ReadersFile),
        (router.seeds.routing, RoutingFile),
        (router.seeds.pathways, PathwaysFile),
        (router.seeds.aid, AidFile),
        (router.alerts, AlertsFile),
    ):
        if seed is None:
            continue
        try:
            load_settings(seed, model)
        except SettingsError as error:
            problems += str(error).splitlines()
    if not problems:
        try:
            load_router_settings(file)
        except SettingsError as error:
            problems += str(error).splitlines()
    return problems


def _twice(values: Sequence[str], key: str, field: str) -> Iterator[tuple[str, str]]:
    for number, value in enumerate(values):
        if value in values[:number]:
            yield f"{key}[{number}].{field}", f"{value!r} is used twice"


def _network_problems(network: NetworkFile) -> Iterator[tuple[str, str]]:
    known = [trust.ods_code for trust in network.trusts]
    yield from _twice(known, "trusts", "ods_code")
    yield from _twice([node.ods_code for node in network.nodes], "nodes", "ods_code")
    yield from _twice([node.ae_title for node in network.nodes], "nodes", "ae_title")
    for number, node in enumerate(network.nodes):
        if node.ods_code not in known:
            yield f"nodes[{number}].ods_code", f"expected one of the trusts in this file, got {node.ods_code!r}"


def _reader_problems(settings: RouterSettings) -> Iterator[tuple[str, str]]:
    trusts = {trust.ods_code for trust in settings.network.trusts}
    nodes = {node.ods_code for node in settings.network.nodes}
    subspecialties = {rule.subspecialty for rule in settings.routing.exams}
    subspecialties |= {row.subspecialty for rows in settings.codes.values() for row in rows}
    network = settings.router.seeds.network.name
    readers = settings.readers.readers
    yield from _twice([reader.id for reader in readers], "readers", "id")
    yield from _twice([reader.registration for reader in readers], "readers", "registration")
    for number, reader in enumerate(readers):
        key = f"readers[{number}]"
        if reader.employer not in trusts:
            yield f"{key}.employer", f"expected a trust of {network}, got {reader.employer!r}"
        if reader.workstation.node not in nodes:
            yield f"{key}.workstation.node", f"expected a node of {network}, got {reader.workstation.node!r}"
        yield from _overlapping_sessions(key, reader)
        for place, credential in enumerate(reader.credentials):
            if credential.trust not in trusts:
                yield f"{key}.credentials[{place}].trust", f"expected a trust of {network}, got {credential.trust!r}"
        for name in sorted(set(reader.levels) - subspecialties):
            yield f"{key}.levels", f"expected a subspecialty of the exam table or a code map, got {name!r}"
        for place, name in enumerate(reader.subspecialties):
            if name not in subspecialties:
                yield (
                    f"{key}.subspecialties[{place}]",
                    f"expected a subspecialty of {settings.router.seeds.routing.name}, got {name!r}",
                )


def _overlapping_sessions(key: str, reader: ReaderSeed) -> Iterator[tuple[str, str]]:
    for place, session in enumerate(reader.sessions):
        for before, other in enumerate(reader.sessions[:place]):
            if session.start < other.end and other.start < session.end:
                yield f"{key}.sessions[{place}]", f"overlaps sessions[{before}]"


def _routing_problems(routing: RoutingFile) -> Iterator[tuple[str, str]]:
    asked = {f"urgencies.{urgency}": name for urgency, name in routing.urgencies.items()}
    if routing.suspected_cancer_priority is not None:
        asked["suspected_cancer_priority"] = routing.suspected_cancer_priority
    for place, priority in asked.items():
        if priority not in routing.priorities:
            yield place, f"expected one of {sorted(routing.priorities)}, got {priority!r}"
    seen: set[tuple[object, ...]] = set()
    for number, rule in enumerate(routing.exams):
        key = f"exams[{number}]"
        if rule.priority not in routing.priorities:
            yield f"{key}.priority", f"expected one of {sorted(routing.priorities)}, got {rule.priority!r}"
        for modality in rule.modalities:
            if modality not in routing.readable_modalities:
                yield f"{key}.modalities", f"expected readable modalities only, got {modality!r}"
        name = (rule.code, rule.scheme, frozenset(rule.modalities), (rule.body_part or "").upper())
        if name in seen:
            yield key, "the same exam is listed twice"
        seen.add(name)
    for modality in set(routing.readable_modalities) & set(routing.ignored_modalities):
        yield "ignored_modalities", f"{modality!r} is also readable"


def _pathway_problems(settings: RouterSettings) -> Iterator[tuple[str, str]]:
    pathways = settings.pathways.pathways
    yield from _twice([pathway.id for pathway in pathways], "pathways", "id")
    for number, pathway in enumerate(pathways):
        hours = settings.routing.priorities[pathway.id]
        if abs(hours * 60 - pathway.target_minutes) > 1e-6:
            expected = f"expected {hours * 60:g}, as the priority of this name in {settings.router.seeds.routing.name}"
            yield f"pathways[{number}].target_minutes", f"{expected}, got {pathway.target_minutes:g}"


def _aid_problems(settings: RouterSettings) -> Iterator[tuple[str, str]]:
    trusts = {trust.ods_code for trust in settings.network.trusts}
    network = settings.router.seeds.network.name
    yield from _twice([aid.trust for aid in settings.aid.aid], "aid", "trust")
    for number, aid in enumerate(settings.aid.aid):
        for code in sorted({aid.trust, *aid.reads_for} - trusts):
            yield f"aid[{number}]", f"expected trusts of {network}, got {code!r}"
        if aid.trust in aid.reads_for:
            yield f"aid[{number}].reads_for", "a trust needs no agreement with itself"


def _alert_problems(settings: RouterSettings) -> Iterator[tuple[str, str]]:
    trusts = {trust.ods_code for trust in settings.network.trusts}
    return alert_problems(settings.alerts, trusts, settings.router.seeds.network.name)


def _code_problems(settings: RouterSettings) -> Iterator[tuple[str, str]]:
    trusts = {trust.ods_code for trust in settings.network.trusts}
    for trust, rows in settings.codes.items():
        key = f"router.seeds.codes.{trust}"
        if trust not in trusts:
            yield key, f"expected a trust of {settings.router.seeds.network.name}, got {trust!r}"
        for unknown in sorted({row.pathway for row in rows} - set(settings.routing.priorities)):
            yield key, f"expected pathways of {sorted(settings.routing.priorities)}, got {unknown!r}"
