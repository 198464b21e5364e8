"""Reads the router's file and its seeds at start; the only place that does."""

from pathlib import Path

from dicom_nodes.foundation.settings_file import SettingsError, load_settings
from router.alert_settings import AlertsFile
from router.code_map import ExamCodeRow, read_code_map
from router.config.cross_checks import cross_check
from router.config.network import NetworkFile
from router.config.readers import ReadersFile
from router.config.router_file import RouterFile
from router.config.routing import AidFile, PathwaysFile, RoutingFile, with_pathways
from router.config.settings import RouterSettings


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
    for seed, problems in cross_check(settings):
        if problems:
            raise SettingsError(seed, problems)
    return settings


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
