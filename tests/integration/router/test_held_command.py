"""`readacross held` against a running router: what waits, both sides, and a match that needs two persons."""

from pathlib import Path
from typing import Any

import httpx2
from click.testing import Result
from typer.testing import CliRunner

from readacross.cli import command_line
from router.app import RunningRouter, issue_token
from tests.integration.router.region import PATIENT, NodeSide, TestClock, received, settled, write_region


def test_a_person_sees_both_sides_and_two_match_the_report(tmp_path: Path) -> None:
    settings, clock = write_region(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite"), TestClock()
    tokens = {who: issue_token(settings, "coordinator", who, clock) for who in ("jane", "omar")}
    nodes = {trust: issue_token(settings, "node", trust, clock) for trust in ("RXN", "RXL")}
    for who, token in tokens.items():
        (tmp_path / who).write_text(token)
    report = received(patient=PATIENT.model_copy(update={"nhs_number": "9990000026"}))

    with RunningRouter(settings, clock) as running, httpx2.Client(base_url=f"http://{running.address}") as client:
        sides: Any = client
        NodeSide(sides, nodes["RXN"], clock).say(settled())
        NodeSide(sides, nodes["RXL"], clock).say(report)
        (read,) = client.get("/reads", headers={"Authorization": f"Bearer {tokens['jane']}"}).json()

        def held(who: str, *arguments: str) -> Result:
            router = ["--router", f"http://{running.address}", "--token-file", str(tmp_path / who)]
            return CliRunner().invoke(command_line(["held"]), ["held", *arguments, *router], env={"COLUMNS": "200"})

        assert report.report_id in held("jane", "list").output
        shown = held("jane", "show", report.report_id).output
        for words in ("9990000026", "9990000018", "differs", report.text, read["id"], "the NHS number differs"):
            assert words in shown
        matched = held("jane", "match", report.report_id, read["id"], "--reason", "typing error")
        assert "another person must confirm it" in matched.output
        alone = held("jane", "confirm", report.report_id, "--reason", "me again")
        assert "a second person must check it" in str(alone.exception)
        assert "coordinator jane says it is of read" in held("omar", "show", report.report_id).output
        assert "version 1" in held("omar", "confirm", report.report_id, "--reason", "rang the ward").output
        assert held("omar", "list").output.strip() == "No report waits for a person."
