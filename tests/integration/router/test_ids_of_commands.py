"""What the commands list can be typed back: nothing is cropped, and an id is taken as it begins."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dicom_nodes.contract import OrderParked
from readacross.cli import command_line
from readacross.refusals import RouterSaidNo
from readacross.whole_id import whole_id
from tests.hazards.conftest import serving
from tests.integration.router.alert_region import CRITICAL, AlertRegion, running_alert_region
from tests.integration.router.region import issue, received, settled
from tests.integration.router.test_reports import returned

UID = "1.2.826.0.1.3680043.8.498.123456789012345678901234567890"


@pytest.fixture
def region(tmp_path: Path) -> Iterator[AlertRegion]:
    """A report that was given up, one that is held, and its alert."""
    with running_alert_region(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite") as running:
        running.rxn.say(OrderParked(order_id=returned(running), reason="no answer", attempts=6))
        running.rxn.say(settled(UID + "1", accession_number="A-2"))
        held = received(UID + "2", accession_number="A-2", accession_issuer="RXN", alert_codes=(CRITICAL,))
        running.rxl.say(held)
        running.work()
        yield running


@pytest.mark.parametrize("width", [80, 120, None])
def test_ids_are_shown_so_that_they_can_be_typed(region: AlertRegion, tmp_path: Path, width: int | None) -> None:
    token = tmp_path / "token"
    token.write_text(issue(region.client, "coordinator", "desk"))
    held = region.get("/reports", disposition="WAITING")[0]["id"]
    given_up = region.get("/reports", disposition="ACCEPTED")[0]["id"]
    with serving(region.client.app) as url:  # type: ignore[arg-type]
        settings: dict[str, Any] = {"READACROSS_ROUTER": url, "READACROSS_TOKEN_FILE": str(token)}
        settings |= {} if width is None else {"COLUMNS": str(width), "TTY_COMPATIBLE": "1", "NO_COLOR": "1"}

        def run(*arguments: str) -> str:
            result = CliRunner().invoke(command_line(arguments[:1]), arguments, env=settings)
            assert "…" not in result.output, "cropped"
            assert result.exit_code == 0, result.output or result.exception
            return result.output

        length = 8 if width is not None else 36
        (item,) = region.queue("phone_list")
        for command, whole in (("held", held), ("deliveries", given_up), ("queue", item["id"])):
            assert whole[:length] in run(command, "list")
        assert "A-2 of" in run("held", "list")
        assert region.alert()["id"][:length] in run("alerts")
        shown = run("held", "show", held[:8])
        columns = [line.split() for line in shown.replace("│", " ").splitlines()]
        assert any(line[0] == "examined" and line[1][:4] == "2026" for line in columns if len(line) > 1)
        for digit in "12":
            assert any(cell.endswith(UID[-2:] + digit) for line in columns for cell in line), "where the UIDs differ"
        assert "PARKED" in run("deliveries", "list")
        assert "ris of RXN" in run("deliveries", "cancel", given_up[:8], "ris", "--reason", "typed in")
        assert "resolved" in run("queue", "resolve", item["id"][:8], "--note", "rung up")


def test_the_beginning_of_several_ids_is_refused() -> None:
    assert whole_id("ab", ["abc", "xyz"], "items") == "abc"
    assert whole_id("abc", ["abc", "abcd"], "items") == "abc"
    assert whole_id("q", ["abc"], "items") == "q"
    with pytest.raises(RouterSaidNo, match="the ids of 2 items begin with 'ab': abc, abd; type more"):
        whole_id("ab", ["abc", "abd"], "items")
