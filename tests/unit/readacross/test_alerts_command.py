"""`readacross alerts`: a readable table, and answers, against a real router over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from readacross.alerts import age
from readacross.cli import command_line
from tests.hazards.conftest import serving
from tests.integration.router.alert_region import CRITICAL, AlertRegion, running_alert_region
from tests.integration.router.region import issue, received


@pytest.fixture
def region(tmp_path: Path) -> Iterator[AlertRegion]:
    with running_alert_region(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite") as running:
        yield running


def test_alerts_are_listed_shown_acknowledged_and_closed(region: AlertRegion, tmp_path: Path) -> None:
    region.rxl.say(received(uid="1.2.9.9", accession_number="A9", accession_issuer="RXN", alert_codes=(CRITICAL,)))
    region.work()
    region.pass_minutes(61)
    alert = region.alert()
    token = tmp_path / "token"
    token.write_text(issue(region.client, "coordinator", "desk"))
    with serving(region.client.app) as url:  # type: ignore[arg-type]

        def run(*arguments: str) -> str:
            settings = {"READACROSS_ROUTER": url, "READACROSS_TOKEN_FILE": str(token), "COLUMNS": "200"}
            result = CliRunner().invoke(command_line(["alerts"]), ["alerts", *arguments], env=settings)
            assert result.exit_code == 0, result.output
            return result.output

        for listed in (run(), run("list")):
            for words in (alert["id"][:8], "1 h 01 min", "RXL", "telephone", "critical finding (CRITICAL)", "late"):
                assert words in listed
        assert "RXL duty manager" in run("show", alert["id"][:8])
        answer = ("--person", "Dr Ash", "--reason", "rang the ward")
        assert "acknowledged by Dr Ash" in run("acknowledge", alert["id"][:8], *answer)
        assert "closed" in run("close", alert["id"], *answer)
        assert "No alert is open" in run()
        assert "rang the ward" in run("show", alert["id"])


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(59, "0 min"), (3540, "59 min"), (3600, "1 h 00 min"), (86_400, "1 d 0 h"), (187_200, "2 d 4 h")],
)
def test_an_age_is_told_in_words(seconds: float, words: str) -> None:
    assert age(seconds) == words
