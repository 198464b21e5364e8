"""What can be used and is hardly meant is warned of with file, key and reason, and stops nothing."""

from pathlib import Path

from tests.unit.readacross.region_files import write_region
from tests.unit.readacross.test_check_agreement import check, swap

_SPAN = "valid_from = 2026-01-01T00:00:00Z, valid_until = 2036-01-01T00:00:00Z"
_OVER = "valid_from = 2019-01-01T00:00:00Z, valid_until = 2020-02-01T00:00:00Z"


def test_a_credential_that_has_expired_is_warned_of(tmp_path: Path) -> None:
    files = write_region(tmp_path, {"readers.toml": swap(_SPAN, _OVER)})
    code, output = check(files)
    assert "readers.toml: readers[0].credentials[0].valid_until: the credential of dr-lune for RXN expired" in output
    assert "dr-lune reads nothing of RXN" in output
    assert code == 0


def test_a_credential_that_was_renewed_is_said_so(tmp_path: Path) -> None:
    history = f'credentials = [{{ trust = "RXN", {_OVER} }}, '
    files = write_region(tmp_path, {"readers.toml": swap("credentials = [", history)})
    code, output = check(files)
    assert "expired on 2020-02-01; a later one is here" in output
    assert code == 0


def test_a_display_check_that_has_ended_is_warned_of(tmp_path: Path) -> None:
    files = write_region(
        tmp_path, {"readers.toml": swap("\ncredentials", "\ndisplay_valid_until = 2020-02-01T00:00:00Z\ncredentials")}
    )
    _, output = check(files)
    assert "readers[0].display_valid_until: the display check of dr-lune ended on 2020-02-01" in output


def test_what_no_exam_of_the_files_has_is_warned_of_in_the_words_of_the_api(tmp_path: Path) -> None:
    scope = '\nexam_scope = ["ct_hed"]\ncredentials'
    files = write_region(
        tmp_path,
        {
            "readers.toml": lambda text: swap('modalities = ["', 'modalities = ["CTX", "')(
                swap("\ncredentials", scope)(text)
            ),
            "routing.toml": swap("minutes = ", 'group = "ct_head", minutes = '),
            "router.toml": swap('routing = "routing.toml"', 'routing = "routing.toml", aid = "aid.toml"'),
        },
    )
    (tmp_path / "aid.toml").write_text(
        '[[aid]]\ntrust = "RXL"\nreads_for = ["RXN"]\ngroup_minutes_out = { ct_hed = 9.0 }\n'
    )
    code, output = check(files)
    assert "readers[0].modalities: expected a readable modality of the exam table, got 'CTX'" in output
    assert "readers[0].exam_scope: expected an exam group or standard code of the exam table" in output
    assert "aid[0].group_minutes_out: expected an exam group of the exam table or a code map, got 'ct_hed'" in output
    assert code == 0


def test_a_session_to_come_that_cannot_be_filled_is_warned_of(tmp_path: Path) -> None:
    span = "start = 2036-11-03T09:00:00Z, end = 2036-11-03T13:00:00Z"
    session = f"sessions = [{{ {span}, capacity_minutes = 2400.0 }}, "
    files = write_region(tmp_path, {"readers.toml": swap("sessions = [", session)})
    code, output = check(files)
    key = "readers[0].sessions[0]"
    assert f"{key}: capacity_minutes: expected at most 240, as long as the session lasts, got 2400" in output
    assert f"{key}: reader dr-lune has no valid credential then" in output
    assert code == 0


def test_a_rule_that_never_or_always_matches_is_warned_of_with_its_line(tmp_path: Path) -> None:
    rules = '[[rules]]\nname = "{}"\nowner = "x"\ncondition = "{}"\n[rules.effects]\npriority = "routine"\n'
    files = write_region(
        tmp_path, {"router.toml": swap('routing = "routing.toml"', 'routing = "routing.toml", rules = "r.toml"')}
    )
    text = rules.format("never", "study.revision < 0") + rules.format("always", "study.revision > 0 || true")
    (tmp_path / "r.toml").write_text(f"{text}[default]\n")
    code, output = check(files)
    assert "rule 'never' never matches" in output
    assert "rule 'always' always matches" in output
    assert "r.toml: rules[0].condition" in output
    assert code == 0
