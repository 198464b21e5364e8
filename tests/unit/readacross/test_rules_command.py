"""`readacross rules` against a file, and against a router that answers over HTTP; `check` on a rules file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from readacross.check.loading import load_files
from readacross.cli import command_line
from readacross.router_client import RouterSaidNo
from router.app import RunningRouter, issue_token, open_store
from router.config import RouterSettings, load_router_settings
from router.flows.route_study import take_settled_study
from tests.integration.router.region import START, TestClock, settled
from tests.integration.router.region import write_region as write_router
from tests.unit.readacross.region_files import write_region
from tests.unit.router.routing_rules.rule_texts import rule, text

GOOD = text(rule('study.description.contains("HEAD")', 'priority = "routine"', "heads"))
BAD = text(rule("study.modalty == 1", 'priority = "urgnt"'))


def run(*arguments: str | Path, answer: str | None = None) -> Any:
    line = ["rules", *map(str, arguments)]
    return CliRunner().invoke(command_line(), line, env={"COLUMNS": "200"}, input=answer)


def test_validate_shows_the_line_and_marks_the_column(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(BAD)
    done = run("validate", file)
    assert done.exit_code == 1
    lines = done.output.splitlines()
    assert lines[0].startswith("rules.toml:6:19: error: unknown name study.modalty; expected one of study.age_known")
    assert lines[0].endswith("Did you mean study.modality?")
    assert lines[1] == "    condition = 'study.modalty == 1'"
    assert lines[2] == f"    {'^':>19}"
    assert "urgnt" not in done.output


def test_validate_compares_names_with_a_routers_seeds_where_they_are_given(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(text(rule('study.description.contains("X")', 'priority = "routin"')))
    router_file = write_region(tmp_path)[2]
    assert run("validate", file).exit_code == 0
    done = run("validate", file, "--settings", router_file)
    assert (done.exit_code, "Did you mean routine?" in done.output) == (1, True)


def test_check_tells_the_errors_of_the_rules_file_that_a_router_file_names(tmp_path: Path) -> None:
    router_file = write_region(
        tmp_path, {"router.toml": lambda old: old.replace("routing.toml", 'routing.toml", rules = "rules.toml')}
    )[2]
    rules = tmp_path / "rules.toml"
    (missing,) = load_files([router_file]).findings
    assert (missing.file, missing.words) == (rules, "cannot be read: No such file or directory")
    rules.write_text(GOOD)
    assert load_files([router_file, rules]).findings == ()
    rules.write_text(text(rule("study.modalty == 1")))
    (wrong,) = load_files([router_file, rules]).findings
    assert str(wrong).startswith(f"{rules}: rules[0].condition: line 6, column 19: unknown name study.modalty")


def test_check_warns_that_rules_wait_where_two_people_let_them_in(tmp_path: Path) -> None:
    router_file = write_region(
        tmp_path,
        {"router.toml": lambda old: old.replace("seeds = {", "rules_need_second_person = true\nseeds = {")},
    )[2]
    warned = [str(warning) for warning in load_files([router_file]).warnings]
    assert any("router.rules_need_second_person: two persons let a rule set in" in words for words in warned), warned


@dataclass
class Served:
    """A router with one study, and how the command reaches it as each of two administrators."""

    settings: RouterSettings
    address: str
    folder: Path

    def run(self, who: str, *arguments: str | Path, answer: str | None = None) -> Any:
        reached = "--router", f"http://{self.address}", "--token-file", self.folder / f"{who}.token"
        return run(*arguments, *reached, answer=answer)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    file = write_router(tmp_path, f"sqlite:///{tmp_path}/router.sqlite").file
    file.write_text(file.read_text().replace("seeds = {", "rules_need_second_person = true\nseeds = {"))
    settings = load_router_settings(file)
    for name in ("alice", "bob"):
        (tmp_path / f"{name}.token").write_text(issue_token(settings, "admin", name))
    store = open_store(settings)
    with store.write() as tx:
        take_settled_study(tx, "RXN", settled(), settings.routing, START)
    store.database.dispose()
    clock = TestClock()
    clock.pass_s(60)
    with RunningRouter(settings, clock) as running:
        yield Served(settings, running.address, tmp_path)


def test_a_rule_set_goes_from_a_file_to_active_and_back(served: Served) -> None:
    file = served.folder / "new.toml"
    file.write_text(GOOD)
    done = served.run("alice", "submit", file, "--comment", "heads are routine")
    assert "rule set 1 is validated" in done.output, done.output
    refused = served.run("alice", "activate", "1")
    assert isinstance(refused.exception, RouterSaidNo)
    assert "needs the approval of somebody other than admin alice" in str(refused.exception)
    assert served.run("bob", "approve", "1", "--comment", "replayed").output == "rule set 1 is approved\n"
    tried = served.run("alice", "dry-run", "1", "--study", "1.2.3.4").output
    assert "heads │ yes     │ priority" in tried, tried
    assert "│ priority │ urgent" in tried
    replayed = served.run("alice", "replay", "1", "--from", "2026-11-01", "--to", "2026-11-03").output
    assert "Rule set 1 routes 1 otherwise than the exam table alone." in replayed, replayed
    for words in ("what would have gone elsewhere", "load per reader", "expected breaches", "reader-1"):
        assert words in replayed
    page = served.folder / "replay.html"
    served.run("alice", "replay", "1", "--from", "2026-11-01", "--to", "2026-11-03", "--html", page)
    assert "Rule set 1 against the exam table alone" in page.read_text()
    nowhere = served.folder / "no" / "replay.html"
    unwritten = served.run("alice", "replay", "1", "--from", "2026-11-01", "--to", "2026-11-03", "--html", nowhere)
    assert "the page cannot be written: No such file" in str(unwritten.exception)
    assert served.run("bob", "activate", "1").output == "rule set 1 is active\n"
    shown = served.run("bob", "show").output
    for words in ("heads", "priority: routine", "where no rule decides", "approved", "admin bob"):
        assert words in shown
    assert served.run("bob", "show", "--text").output == GOOD
    assert "active" in served.run("bob", "list").output
    back = served.run("bob", "rollback", "--reason", "too many routine heads")
    assert "no rule set was active before 1" in str(back.exception)
    leave = "switch-off", "--reason", "too many routine heads"
    for asked, said in ((None, "Aborted"), ("n\n", "Aborted"), ("y\n", "the exam table alone routes now")):
        done = served.run("bob", *leave, answer=asked)
        assert "rule set 1 is active (heads are routine, by admin alice)" in done.output
        assert said in done.output
    again = served.run("alice", *leave, "--expect", "1")
    assert "no rule set is active, not 1" in str(again.exception)
    file.write_text(BAD)
    wrong = served.run("alice", "submit", file, "--comment", "x")
    assert (wrong.exit_code, "rule set 2 is draft" in wrong.output) == (1, True)
