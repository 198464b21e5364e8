"""The trust file of a node that is measured: alone, without a router, and with one caller that may do everything."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from readacross.bench.contestants import CALLING, Surroundings


class Forwarding(StrEnum):
    """What the node's archive does while it is measured."""

    PAUSED = "paused"
    """The archive is away while the clock runs, and takes everything between two measurements."""
    EMBEDDED = "embedded"
    """The embedded archive: the node copies every instance into files meanwhile."""
    OPEN = "open"
    """A PACS that acknowledges at once and keeps nothing: the node reads and sends every instance meanwhile."""


def write_trust_file(
    surroundings: Surroundings, port: int, archive_port: int, forwarding: Forwarding, more: Mapping[str, str]
) -> Path:
    """Write a trust file and a token under the folder; the router is away."""
    folder = surroundings.folder
    (folder / "router.token").write_text("no-router\n", encoding="ascii")
    sections: dict[str, dict[str, str]] = {
        "trust": {"ods_code": '"RXN"', "name": '"Measured trust"'},
        "node": {
            "ae_title": '"BENCH_NODE"',
            "listen": f'"127.0.0.1:{port}"',
            "data_dir": '"data"',
            "disk_reserve_mib": "64",
            "maximum_associations": str(surroundings.maximum_associations),
        },
        "router": {"url": '"http://127.0.0.1:1"', "token_file": '"router.token"'},
        "archive": _archive(archive_port, forwarding),
        "delivery": {"attempts": "1000000", "first_retry_s": "1.0", "longest_retry_s": "1.0"},
    }
    for name, value in more.items():
        section, _, key = name.rpartition(".")
        sections.setdefault(section, {})[key] = value
    file = folder / "node.toml"
    peers = [_CALLER.format(calling=CALLING)]
    peers += [_DESTINATION.format(title=title, port=port) for title, port in surroundings.destinations.items()]
    file.write_text(_toml(sections) + "".join(peers), encoding="utf-8")
    return file


def _archive(port: int, forwarding: Forwarding) -> dict[str, str]:
    if forwarding is Forwarding.EMBEDDED:
        return {"kind": '"embedded"', "directory": '"archive"'}
    return {"kind": '"dimse"', "ae_title": '"BENCH_PACS"', "address": f'"127.0.0.1:{port}"'}


def _toml(sections: Mapping[str, Mapping[str, str]]) -> str:
    lines: list[str] = []
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{key} = {value}" for key, value in values.items()), ""]
    return "\n".join(lines)


_CALLER = """
[[peers]]
ae_title = "{calling}"
role = "modality"
allowed_hosts = ["127.0.0.1"]
may = ["echo", "store", "find", "move", "get"]
"""

_DESTINATION = """
[[peers]]
ae_title = "{title}"
role = "workstation"
allowed_hosts = ["127.0.0.1"]
may = ["echo"]
address = "127.0.0.1:{port}"
"""
