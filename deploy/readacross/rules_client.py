"""The router's API for rule sets as the command uses it."""

from datetime import datetime

from pydantic import TypeAdapter

from readacross.refusals import RouterSaidNo
from readacross.router_client import RouterClient
from router.web.rule_messages import (
    DryRunView,
    ReplayView,
    RollBackView,
    RuleSetView,
    ValidationView,
    WholeRuleSetView,
)

REPLAY_TIMEOUT_S = 900.0


class RulesClient(RouterClient):
    """Calls about rule sets with one token."""

    def rule_sets(self) -> list[RuleSetView]:
        return TypeAdapter(list[RuleSetView]).validate_python(self._call("GET", "/rule-sets"))

    def rule_set(self, version: int) -> WholeRuleSetView:
        return WholeRuleSetView.model_validate(self._call("GET", f"/rule-sets/{version}"))

    def submit(self, text: str, comment: str) -> ValidationView:
        """Keep the text as a draft, and validate it."""
        body = {"text": text, "comment": comment}
        draft = RuleSetView.model_validate(self._call("POST", "/rule-sets", json=body))
        return ValidationView.model_validate(self._call("POST", f"/rule-sets/{draft.version}/validate"))

    def approve(self, version: int, comment: str) -> RuleSetView:
        answer = self._call("POST", f"/rule-sets/{version}/approve", json={"comment": comment})
        return RuleSetView.model_validate(answer)

    def activate(self, version: int, expected_active: int | None) -> RuleSetView:
        answer = self._call("POST", f"/rule-sets/{version}/activate", json={"expected_active": expected_active})
        return RuleSetView.model_validate(answer)

    def active(self) -> RuleSetView:
        """Raises RouterSaidNo where none is active."""
        for one in self.rule_sets():
            if one.state == "active":
                return one
        raise RouterSaidNo("no rule set is active: the exam table alone routes")

    def roll_back(self, reason: str, expected_active: int) -> RollBackView:
        body = {"reason": reason, "expected_active": expected_active}
        return RollBackView.model_validate(self._call("POST", "/rule-sets/roll-back", json=body))

    def switch_off(self, reason: str, expected_active: int) -> None:
        self._call("POST", "/rule-sets/switch-off", json={"reason": reason, "expected_active": expected_active})

    def dry_run(self, version: int, study: dict[str, str]) -> DryRunView:
        return DryRunView.model_validate(self._call("POST", f"/rule-sets/{version}/dry-run", json=study))

    def replay(self, version: int, start: datetime, end: datetime, baseline: int | None, show: int) -> ReplayView:
        body = {"start": start.isoformat(), "end": end.isoformat(), "baseline": baseline, "show": show}
        answer = self._call("POST", f"/rule-sets/{version}/replay", json=body, timeout=REPLAY_TIMEOUT_S)
        return ReplayView.model_validate(answer)
