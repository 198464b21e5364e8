"""`readacross rules rollback` and `switch-off`: away from the active rule set, which the router is told by its number.

So of two people who do it at once, the second one learns that it is done. A script names the version with `--expect`;
a person may leave it out, is shown what is active and what comes instead, and says yes.
"""

from typing import Annotated

import typer

from readacross.rules_client import RulesClient
from readacross.trace import RouterUrl, TokenFile
from router.web.rule_messages import RuleSetView

Reason = Annotated[str, typer.Option(help="Why; the audit keeps it.")]
Expected = Annotated[
    int | None,
    typer.Option("--expect", min=1, help="The version that is active; if left out, it is shown and you are asked."),
]


def rollback(router: RouterUrl, token_file: TokenFile, reason: Reason, expected_active: Expected = None) -> None:
    """Go back to the version that was active before, in one step."""
    with RulesClient.from_file(router, token_file) as client:
        if expected_active is None:
            active = client.active()
            before = _before(client, active.version)
            # Where there is none before it the router refuses, and says what to do: nothing to agree to.
            if before is not None:
                _agree(active, f"go back to rule set {before.version} ({before.comment})")
            expected_active = active.version
        version = client.roll_back(reason, expected_active).active_version
    typer.echo(f"rule set {version} is active again")


def switch_off(router: RouterUrl, token_file: TokenFile, reason: Reason, expected_active: Expected = None) -> None:
    """Route by no rules from now on: no hold and no requirement of a rule applies any more."""
    with RulesClient.from_file(router, token_file) as client:
        if expected_active is None:
            active = client.active()
            _agree(active, "switch all rules off, so that the exam table alone routes")
            expected_active = active.version
        client.switch_off(reason, expected_active)
    typer.echo("the exam table alone routes now")


def _agree(active: RuleSetView, what: str) -> None:
    typer.echo(f"rule set {active.version} is active ({active.comment}, by {active.author})")
    typer.confirm(f"{what}?", abort=True)


def _before(client: RulesClient, version: int) -> RuleSetView | None:
    activations = [entry for entry in client.rule_set(version).history if entry.event == "activated"]
    before = activations[-1].detail.get("before") if activations else None
    return None if before is None else client.rule_set(before)
