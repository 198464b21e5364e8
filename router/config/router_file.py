"""The router's own file: where it listens, keeps its state and finds its seeds, and how long states may last."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from dicom_nodes.foundation.settings_file import HostPort, LocalPath, OdsCode, Settings


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
