"""`readacross rota` and `readacross codes` against a running router: what is said, and the exit status."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from readacross.cli import command_line
from readacross.router_client import RouterSaidNo
from router.app import RunningRouter, issue_token
from tests.integration.router.region import TestClock, write_region

MAP = (
    "local_code,standard_code,standard_scheme,group,modality,subspecialty,minutes,pathway\n"
    "CTH1,CSKUH,NICIP,ct_head,CT,neuro,8,urgent\n"
)


class Command:
    """The command line with a router's address and an administrator's token."""

    def __init__(self, folder: Path, address: str, token: str) -> None:
        self.folder = folder
        (folder / "token").write_text(token)
        self._router = ["--router", f"http://{address}", "--token-file", str(folder / "token")]

    def __call__(self, *arguments: str, **files: str) -> Result:
        for name, text in files.items():
            (self.folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
        named = [str(self.folder / a.replace("_", ".")) if a in files else a for a in arguments]
        return CliRunner().invoke(command_line(), [*named, *self._router], env={"COLUMNS": "160"})


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    settings = write_region(tmp_path / "region", f"sqlite:///{tmp_path}/router.sqlite")
    token = issue_token(settings, "admin", "test", TestClock())
    with RunningRouter(settings, TestClock()) as running:
        yield Command(tmp_path, running.address, token)


def test_a_rota_is_shown_as_taken_and_refused(command: Command) -> None:
    rows = [
        "reader,start,end,kind",
        "reader-1,2026-11-03T09:00,2026-11-03T13:00,cancer",
        "nobody,2026-11-03T09:00,2026-11-03T13:00,acute",
        "reader-1,2026-11-03T12:00,2026-11-03T14:00,acute",
    ]
    done = command("rota", "import", "rota_csv", "--trust", "RXL", rota_csv="\n".join(rows))
    assert done.exit_code == 1
    assert "Tue 2026-11-03 09:00" in done.stdout
    assert "reader 'nobody' is not known" in done.stdout
    assert "overlaps row 2 of the same reader" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 taken, 2 refused"
    again = command("rota", "import", "rota_csv", "--dry-run", rota_csv="\n".join(rows[:2]))
    assert (again.exit_code, again.stdout.splitlines()[-1]) == (0, "1 would be taken, 0 refused")


def test_a_calendar_of_one_reader_is_taken_with_the_kind_given(command: Command) -> None:
    text = (
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:u\nDTSTART:20261103T090000Z\n"
        "DTEND:20261103T110000Z\nRRULE:FREQ=WEEKLY\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    done = command(
        "rota", "import", "rota_ics", "--reader", "reader-1", "--kind", "on_call", "--weeks", "2", rota_ics=text
    )
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "2 taken, 0 refused")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--reader", "nobody"], "reader_id: expected a known reader"),
        (["--trust", "ZZZ"], "trust: expected a known trust"),
        (["--kind", "nights"], "--kind: expected one of acute"),
    ],
)
def test_an_import_that_cannot_begin_says_why(command: Command, arguments: list[str], words: str) -> None:
    done = command("rota", "import", "rota_csv", *arguments, rota_csv="reader,start,end,kind\n")
    assert isinstance(done.exception, RouterSaidNo)
    assert words in str(done.exception)


def test_a_code_map_is_taken_whole_or_not_at_all(command: Command) -> None:
    good = command("codes", "import", "map_csv", "--trust", "RXN", map_csv=MAP)
    assert (good.exit_code, good.stdout) == (0, "1 codes of RXN taken\n")
    two = MAP + MAP.splitlines()[1].replace("CSKUH", "CCHES") + "\n"
    bad = command("codes", "import", "map_csv", "--trust", "RXN", map_csv=two)
    assert bad.exit_code == 1
    assert "local code 'CTH1' has two targets: NICIP CSKUH in row 2, and NICIP CCHES here" in bad.stdout
    assert bad.stdout.splitlines()[-1] == "nothing was changed: 1 refused"
    shown = command("codes", "coverage", "--trust", "RXN")
    assert shown.stdout.startswith("RXN: 0 studies in 90 days, 0 without a code; no study had a code")
