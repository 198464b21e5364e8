"""Every file under config/ can be loaded, and the examples agree with each other."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dicom_nodes.config import NodeSettings
from dicom_nodes.foundation.settings_file import load_settings
from readacross.check.agreement import disagreements
from readacross.check.loading import load_files
from router.config import load_router_settings
from router.rules.routing_rules.checking import check
from router.rules.routing_rules.known_names import names_of_settings

CONFIG = Path(__file__).parents[3] / "config"
TRUST_FILES = sorted((CONFIG / "trusts").glob("*.toml"))


@pytest.mark.parametrize("file", TRUST_FILES, ids=lambda file: file.name)
def test_example_trust_file_loads_and_is_named_after_its_trust(file: Path) -> None:
    assert load_settings(file, NodeSettings).trust.ods_code == file.stem


def test_example_router_file_loads_with_its_seeds() -> None:
    settings = load_router_settings(CONFIG / "router.toml")
    assert {node.ods_code for node in settings.network.nodes} >= {file.stem for file in TRUST_FILES}


def test_example_rules_have_no_problem() -> None:
    settings = load_router_settings(CONFIG / "router.toml")
    rules = (CONFIG / "rules.toml").read_text(encoding="utf-8")
    assert check(rules, names_of_settings(settings), datetime(2026, 11, 2, tzinfo=UTC)).problems == ()


def test_examples_agree_with_each_other() -> None:
    files = load_files([*TRUST_FILES, CONFIG / "router.toml"])
    assert [str(finding) for finding in disagreements(files)] == []
    secrets = {"router.token_file", "archive.password_file", "tls.certificate", "tls.key", "tls.trusted[0]"}
    assert {finding.key for finding in files.findings} <= secrets
