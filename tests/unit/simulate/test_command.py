"""`readacross simulate`: the table, the JSON and the page; and what it refuses."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from readacross.cli import command_line
from router.simulate.assumptions import BUILT_IN
from router.simulate.experiment import mean_of
from router.simulate.page import CHARTS

_FEW = ("--policy", "silo_priority,worklist,readacross_index", "--weeks", "1")


@pytest.fixture
def small_region(tmp_path: Path) -> Path:
    """The assumptions with a twelfth of the studies."""
    file = tmp_path / "small.toml"
    file.write_text(BUILT_IN.read_text().replace("studies = 17700", "studies = 1475"))
    return file


def test_a_run_prints_a_table_and_writes_json_and_a_page_with_each_chart(small_region: Path, tmp_path: Path) -> None:
    json_file, html_file = tmp_path / "all.json", tmp_path / "all.html"
    files = ("--json", str(json_file), "--html", str(html_file), "--assumptions", str(small_region))
    scenarios = ("--scenario", "normal,trust_loss", "--seeds", "2", "--first-seed", "4")
    result = CliRunner().invoke(command_line(), ["simulate", *scenarios, *_FEW, *files])
    assert result.exit_code == 0, result.output
    assert "one trust loses half its readers" in result.output
    told = json.loads(json_file.read_text())
    assert told["seeds"] == [4, 5]
    assert len(told["runs"]) == 2 * 2 * 3
    assert {mean["policy"] for mean in told["means"]} == {"silo_priority", "worklist", "readacross_index"}
    page = html_file.read_text()
    assert set(re.findall(r'data-chart="([^"]+)"', page)) == {
        f"{s}/{m}" for s in ("normal", "trust_loss") for m in CHARTS
    }
    assert page.count("<svg") == 2 * len(CHARTS)


def test_the_page_loads_nothing_from_elsewhere(small_region: Path, tmp_path: Path) -> None:
    html_file = tmp_path / "all.html"
    command = ["simulate", "--policy", "worklist", "--weeks", "1", "--seeds", "1", "--html", str(html_file)]
    result = CliRunner().invoke(command_line(), [*command, "--assumptions", str(small_region)])
    assert result.exit_code == 0, result.output
    assert "(1 week, 1 seed from 101)" in result.output
    page = html_file.read_text()
    assert "<p>1 week, seed 101; every policy" in page
    assert not re.search(r"(src|href)=|url\(|@import|https?:", page)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--region", "kent"), "'kent' is no region; expected one of lsc, cm"),
        (("--scenario", "flood"), "'flood' is unknown; expected all or of normal"),
        (("--policy", "guess"), "'guess' is unknown; expected all or of silo_fifo"),
        (("--weeks", "0"), "greater than or equal to 1"),
        (("--seeds", "0"), "greater than or equal to 1"),
        (("--what-if", "reader=RXX:neuro:tue"), "trust 'RXX' is unknown"),
        (("--what-if", "aid=RXN>RXN:10"), "a trust needs no agreement with itself"),
        (("--html", "/nodir/x.html"), "expected a file in a folder that exists, got /nodir/x.html"),
        (("--json", "/"), "expected a file that can be written, got /"),
    ],
)
def test_a_bad_option_is_refused_with_what_was_expected(options: tuple[str, str], said: str) -> None:
    result = CliRunner().invoke(command_line(), ["simulate", *options], env={"COLUMNS": "400"})
    assert result.exit_code == 2
    assert said in re.sub(r"[\s│]+", " ", result.output)


def test_a_mean_has_the_confidence_interval_of_students_t() -> None:
    """Five values with a standard deviation of 10: 2.776 × 10 / √5 = 12.4."""
    values = [100.0, 100.0, 110.0, 120.0, 120.0]
    assert mean_of(values).mean == 110.0
    assert mean_of(values).half == pytest.approx(2.776 * 10 / 5**0.5)
