"""The router's file with all its seeds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from router.alert_settings import AlertsFile
from router.code_map import ExamCodeRow
from router.config.network import NetworkFile
from router.config.readers import ReadersFile
from router.config.router_file import Router
from router.config.routing import AidFile, PathwaysFile, RoutingFile


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
