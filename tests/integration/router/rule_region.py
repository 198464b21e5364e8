"""Rules in a running region: texts, and the calls of administrators."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from router.app import create_app
from router.config import load_router_settings
from tests.integration.router.region import NodeSide, Region, TestClock, issue, write_region
from tests.unit.router.routing_rules.rule_texts import rule, text

HEAD_URGENT = text(rule('study.body_part == "HEAD"', 'priority = "routine"', "heads"))
HOLDING = text(rule('study.description.contains("RESEARCH")', 'hold = "does the trial want a report?"', "research"))


class Administrators:
    """What people do with rule sets, each with a token of their own."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self._tokens: dict[str, dict[str, str]] = {}

    def call(self, who: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer, whatever it is; `who` is ROLE/NAME, or a name of an administrator."""
        role, _, name = who.rpartition("/")
        if who not in self._tokens:
            self._tokens[who] = self.region.token(role or "admin", name)
        return self.region.client.request(method, f"/rule-sets{path}", json=body, headers=self._tokens[who])

    def draft(self, rules: str, who: str = "alice") -> int:
        answer = self.call(who, "POST", "", {"text": rules, "comment": "a change"})
        assert (answer.status_code, answer.json()["state"]) == (201, "draft"), answer.text
        version = answer.json()["version"]
        assert isinstance(version, int)
        return version

    def validated(self, rules: str, who: str = "alice") -> int:
        version = self.draft(rules, who)
        answer = self.call(who, "POST", f"/{version}/validate")
        assert answer.json()["valid"], answer.text
        assert answer.json()["rule_set"]["state"] == "validated"
        return version

    def activate(self, version: int, who: str = "alice", expected_active: int | None = None) -> Any:
        return self.call(who, "POST", f"/{version}/activate", {"expected_active": expected_active})

    def active(self, rules: str) -> int:
        version = self.validated(rules)
        answer = self.activate(version)
        assert (answer.status_code, answer.json()["state"]) == (200, "active"), answer.text
        return version

    def roll_back(self, expected_active: int, who: str = "bob") -> Any:
        body = {"reason": "it went wrong", "expected_active": expected_active}
        return self.call(who, "POST", "/roll-back", body)

    def switch_off(self, expected_active: int, who: str = "bob") -> Any:
        body = {"reason": "the table alone for a while", "expected_active": expected_active}
        return self.call(who, "POST", "/switch-off", body)

    def states(self) -> dict[int, str]:
        return {one["version"]: one["state"] for one in self.call("alice", "GET", "").json()}

    def audit(self) -> list[tuple[int, str, str]]:
        return [(one["version"], one["event"], one["actor"]) for one in self.call("alice", "GET", "/audit").json()]


@contextmanager
def region_with_settings(
    folder: Path, database_url: str, lines: str = "", rules: str | None = None
) -> Iterator[Region]:
    """A running region with more lines in its router file, and perhaps a rules file."""
    settings = write_region(folder, database_url)
    file = settings.file
    changed = file.read_text().replace("seeds = {", f"{lines}\nseeds = {{")
    if rules is not None:
        (folder / "rules.toml").write_text(rules)
        changed = changed.replace('routing = "routing.toml"', 'routing = "routing.toml", rules = "rules.toml"')
    file.write_text(changed)
    settings = load_router_settings(file)
    clock = TestClock()
    with TestClient(create_app(settings, clock, plan_in_background=False)) as client:
        nodes = [NodeSide(client, issue(client, "node", ods_code), clock) for ods_code in ("RXN", "RXL")]
        yield Region(settings, clock, client, *nodes)
