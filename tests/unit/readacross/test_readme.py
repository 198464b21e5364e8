"""What the README shows can be used as it stands."""

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

from typer.testing import CliRunner

from dicom_nodes.config import NodeSettings
from readacross.cli import command_line
from router.rules.routing_rules.checking import check
from router.rules.routing_rules.known_names import KnownNames
from router.rules.routing_rules.rule_file import EffectsTable

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_toml_of_the_readme_is_part_of_a_valid_trust_file(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 1
    document = tomllib.loads(
        '[trust]\nods_code = "RXN"\nname = "N"\n[node]\nae_title = "RXN_NODE"\nlisten = "0.0.0.0:104"\n'
        'data_dir = "d"\n[router]\nurl = "https://r"\ntoken_file = "t"\n' + blocks[0]
    )
    assert NodeSettings.model_validate(document).peers[0].ae_title == "RXN_CT1"


def test_every_command_of_the_readme_exists() -> None:
    shown = set(re.findall(r"readacross ([a-z]+)", README))
    assert {"node", "router", "token", "check", "trace", "parked", "queue"} <= shown
    for name in shown:
        assert CliRunner().invoke(command_line(), [name, "--help"]).exit_code == 0, name


def test_the_rules_of_the_documentation_can_be_used() -> None:
    page = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert check(block, KnownNames(), datetime(2026, 11, 2, tzinfo=UTC)).problems == ()
    shown = set(re.findall(r"readacross rules ([a-z-]+)", page))
    for name in shown:
        assert CliRunner().invoke(command_line(), ["rules", name, "--help"]).exit_code == 0, name
    described = set(re.findall(r"`([a-z_]+)`", "\n".join(line for line in page.splitlines() if line.startswith("| `"))))
    assert set(EffectsTable.model_fields) <= described


def test_every_place_of_the_readme_exists() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / link).exists(), link
    for place in re.findall(r"^\| `([^`]+)` \|", README, re.MULTILINE):
        assert (ROOT / place).exists(), place
