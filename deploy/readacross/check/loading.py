"""Read the files of a check, each by its own kind, and go on where one is wrong: every problem shows at once."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dicom_nodes.config import NodeSettings, OrthancArchive
from dicom_nodes.foundation.clock import utc_now
from dicom_nodes.foundation.settings_file import SettingsError, load_settings
from readacross.check.rules_file import rules_findings, rules_warnings
from readacross.check.tls_files import tls_findings
from router.config import RouterSettings, check_router_files, load_router_settings
from router.rules.seed_warnings import seed_warnings


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not fit: where it stands, and what was expected. Holds no secrets and no patient data."""

    file: Path
    key: str
    words: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.words}" if self.key else f"{self.file}: {self.words}"


@dataclass(frozen=True, slots=True)
class TrustFile:
    path: Path
    settings: NodeSettings


@dataclass(frozen=True, slots=True)
class Files:
    """What could be read, and what could not; `warnings` are of what can be used and is hardly meant."""

    trusts: tuple[TrustFile, ...]
    routers: tuple[RouterSettings, ...]
    findings: tuple[Finding, ...]
    warnings: tuple[Finding, ...] = ()


_SEED_TABLES = {"trusts", "nodes", "readers", "exams", "priorities", "pathways", "aid", "rules"}


def load_files(paths: Iterable[Path]) -> Files:
    """Read trust files and router files, told apart by their tables; seeds are read by the router file that names them.

    So `check config/*.toml` works: a seed that no given router file names is a finding.
    """
    paths = list(paths)
    seeds = {path.resolve() for path in paths if is_seed_file(path)}
    loaded = _load(path for path in paths if path.resolve() not in seeds)
    read = {seed.resolve() for router in loaded.routers for seed in _seeds_of(router)}
    unread = [path for path in paths if path.resolve() in seeds - read]
    findings = [Finding(path, "(file)", "a router's seed, but no router file given here names it") for path in unread]
    warnings = tuple(warning for router in loaded.routers for warning in _warnings(router))
    return Files(loaded.trusts, loaded.routers, (*loaded.findings, *findings), warnings)


def _warnings(router: RouterSettings) -> Iterable[Finding]:
    now = utc_now()
    yield from (Finding(*found) for found in seed_warnings(router, now))
    yield from (Finding(*found) for found in rules_warnings(router, now))


def _seeds_of(router: RouterSettings) -> tuple[Path, ...]:
    seeds = router.router.seeds
    optional = (seeds.pathways, seeds.aid, seeds.rules, router.router.alerts)
    return seeds.network, seeds.readers, seeds.routing, *(file for file in optional if file is not None)


def _load(paths: Iterable[Path]) -> Files:
    trusts: list[TrustFile] = []
    routers: list[RouterSettings] = []
    findings: list[Finding] = []
    for path in paths:
        try:
            if is_router_file(path):
                findings += [_from_line(path, line) for line in check_router_files(path)]
                routers.append(load_router_settings(path))
                findings += [Finding(*found) for found in rules_findings(routers[-1], utc_now())]
            else:
                settings = load_settings(path, NodeSettings)
                trusts.append(TrustFile(path, settings))
                findings += _missing_secrets(path, settings)
                if settings.tls is not None:
                    findings += [Finding(path, key, words) for key, words in tls_findings(settings.tls, utc_now())]
        except SettingsError as error:
            findings += [Finding(error.file, key, words) for key, words in error.problems]
    return Files(tuple(trusts), tuple(routers), tuple(dict.fromkeys(findings)))


def is_router_file(path: Path) -> bool:
    """Whether this is a router's file: `[router]` without `[trust]` (a trust file's `[router]` says whom to dial).

    Raises:
        SettingsError: it cannot be read at all.
    """
    document = _document(path)
    return "router" in document and not {"trust", "node"} & set(document)


def is_seed_file(path: Path) -> bool:
    """Whether this is one of the files a router's file names: network, readers or routing."""
    try:
        document = _document(path)
    except SettingsError:
        return False
    return bool(_SEED_TABLES & set(document)) and not {"trust", "node", "router"} & set(document)


def _document(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(path, [("(file)", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise SettingsError(path, [("(file)", "is not UTF-8 text")]) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(path, [("(syntax)", str(error))]) from None


def _missing_secrets(path: Path, settings: NodeSettings) -> list[Finding]:
    files = {"router.token_file": settings.router.token_file}
    if isinstance(settings.archive, OrthancArchive) and settings.archive.password_file is not None:
        files["archive.password_file"] = settings.archive.password_file
    return [Finding(path, key, f"no such file: {file}") for key, file in files.items() if not file.is_file()]


def _from_line(path: Path, line: str) -> Finding:
    """`file: key: reason` as router.config writes it."""
    parts = line.split(": ", 2)
    return Finding(Path(parts[0]), parts[1], parts[2]) if len(parts) == 3 else Finding(path, "", line)
