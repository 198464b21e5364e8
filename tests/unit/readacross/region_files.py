"""A small region in files that agree with each other; a test breaks one thing in it."""

from collections.abc import Callable
from pathlib import Path

TRUST = """
[trust]
ods_code = "{ods}"
name = "{ods} Trust"

[node]
ae_title = "{ods}_NODE"
listen = "127.0.0.1:{port}"
data_dir = "data-{ods}"

[router]
url = "http://127.0.0.1:{router_port}"
token_file = "{ods}.token"

[archive]
kind = "dimse"
ae_title = "{ods}_PACS"
address = "127.0.0.1:{pacs_port}"

[hl7]
listen = "127.0.0.1:{hl7_port}"
allowed_hosts = ["127.0.0.1"]

[[peers]]
ae_title = "{other}_NODE"
role = "node"
allowed_hosts = ["127.0.0.1"]
may = ["echo", "get"]

[[peers]]
ae_title = "{ods}_WS"
role = "workstation"
address = "127.0.0.1:{ws_port}"
"""

ROUTER = """
[router]
listen = "127.0.0.1:{router_port}"
database_url = "sqlite:///router.db"
seeds = {{ network = "network.toml", readers = "readers.toml", routing = "routing.toml" }}
"""

NETWORK = """
trusts = [{ ods_code = "RXN", name = "RXN Trust" }, { ods_code = "RXL", name = "RXL Trust" }]
nodes = [
  { ods_code = "RXN", ae_title = "RXN_NODE", host = "127.0.0.1", port = 11101 },
  { ods_code = "RXL", ae_title = "RXL_NODE", host = "127.0.0.1", port = 11201 },
]
"""

READERS = """
[[readers]]
id = "dr-lune"
name = "Dr A Lune"
registration = "C7654321"
employer = "RXL"
modalities = ["CT"]
subspecialties = ["neuro"]
workstation = { node = "RXL", ae_title = "RXL_WS" }
credentials = [{ trust = "RXN", valid_from = 2026-01-01T00:00:00Z, valid_until = 2036-01-01T00:00:00Z }]
sessions = [{ start = 2026-01-01T00:00:00Z, end = 2036-01-01T00:00:00Z, capacity_reads = 500 }]
"""

ROUTING = """
readable_modalities = ["CT"]
priorities = { routine = 24.0 }
exams = [{ code = "CSKUH", scheme = "NICIP", subspecialty = "neuro", minutes = 7.0, priority = "routine" }]
"""

Change = Callable[[str], str]


def write_region(folder: Path, changes: dict[str, Change] | None = None, router_port: int = 11400) -> list[Path]:
    """Write RXN.toml, RXL.toml and router.toml with its seeds; `changes` edits texts by file name."""
    texts = {
        name: TRUST.format(
            ods=ods, other=other, port=base + 1, hl7_port=base + 2, pacs_port=base + 3, ws_port=base + 4,
            router_port=router_port,
        )
        for name, ods, other, base in (("RXN.toml", "RXN", "RXL", 11100), ("RXL.toml", "RXL", "RXN", 11200))
    }  # fmt: skip
    texts |= {"router.toml": ROUTER.format(router_port=router_port), "network.toml": NETWORK}
    texts |= {"readers.toml": READERS, "routing.toml": ROUTING, "RXN.token": "secret-n", "RXL.token": "secret-l"}
    for name, text in texts.items():
        changed = (changes or {}).get(name, str)(text)
        assert name not in (changes or {}) or changed != text, f"the change of {name} changed nothing"
        (folder / name).write_text(changed, encoding="utf-8")
    return [folder / "RXN.toml", folder / "RXL.toml", folder / "router.toml"]
