"""alerts.toml is checked at start: file, key and what was expected."""

from pathlib import Path

import pytest

from dicom_nodes.foundation.clock import utc_now
from dicom_nodes.foundation.settings_file import SettingsError
from router.config import load_router_settings
from router.notify.channels import Channels
from tests.integration.router.alert_region import write_alert_region


def write(folder: Path, before: str = "", after: str = "") -> Path:
    file = write_alert_region(folder, "sqlite:///r.sqlite", 25, 80).file
    alerts = folder / "alerts.toml"
    text = alerts.read_text()
    assert before in text
    alerts.write_text(text.replace(before, after, 1))
    return file


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ('public_url = "http://127.0.0.1:8400"', "", "public_url: is missing: every message carries a link"),
        ('ods_code = "RXN"', 'ods_code = "RXX"', "trusts[0].ods_code: expected a trust of network.toml, got 'RXX'"),
        ('ods_code = "RXL"', 'ods_code = "RXN"', "trusts[1].ods_code: 'RXN' is used twice"),
        ('code = "SOON"', 'code = "CRITICAL"', "trusts[0].codes[1]: 'CRITICAL' of '99ALERT' is listed twice"),
        ("deadline_minutes = 20", "deadline_minutes = 0", "trusts[0].codes[1].deadline_minutes: "),
        ('urgency = "significant"', 'urgency = "soon"', "trusts[0].codes[1].urgency: "),
        ('who = "referrer"', 'who = "porter"', "trusts[0].ladder[0].who: "),
        ('who = "team"', 'who = "referrer"', "trusts[0].ladder: expected each of referrer, team, duty_manager once"),
        ('channel = "paging"', 'channel = "pagers"', "trusts[0].ladder[1].recipients[1].channel: expected one of"),
        ('address = "ward7@rxn.test"', 'address = "ward7"', "trusts[0].ladder[0].recipients[0].address: expected an"),
        (', address = "duty@rxl.test"', "", "trusts[1].ladder[1].recipients[0].address: is missing"),
        (
            'channel = "fhir", address = "PractitionerRole/1"',
            'channel = "fhir", address = "1"',
            "trusts[0].ladder[2].recipients[1].address: expected a reference",
        ),
        (
            'channel = "mail", address = "duty@rxl.test"',
            'channel = "ris"',
            "trusts[1].ladder[1].recipients: expected a channel beside the RIS",
        ),
        ('tls = "none"', 'tls = "none"\nusername = "u"', "channels.mail.email: password_file: goes with username"),
        ("http://127.0.0.1:80/hook", "http://hub.example/hook", "channels.paging.webhook.url: expected https://"),
        ('kind = "webhook"', 'kind = "fax"', "channels.paging: "),
        ('secret_file = "paging.secret"', "", "channels.paging.webhook.secret_file: is missing"),
        ("attempts = 10", "atempts = 10", "atempts: unknown key; is it misspelt?"),
    ],
)
def test_a_wrong_alerts_file_is_refused_with_its_key(tmp_path: Path, before: str, after: str, problem: str) -> None:
    file = write(tmp_path, before, after)
    with pytest.raises(SettingsError) as refusal:
        load_router_settings(file)
    assert f"alerts.toml: {problem}" in str(refusal.value)


@pytest.mark.parametrize(
    ("secret", "problem"),
    [(None, "cannot be read: No such file"), ("short", "expected at least 32 characters, got 5")],
)
def test_a_secret_that_is_missing_or_weak_stops_the_start(tmp_path: Path, secret: str | None, problem: str) -> None:
    settings = load_router_settings(write(tmp_path))
    (tmp_path / "paging.secret").unlink()
    if secret is not None:
        (tmp_path / "paging.secret").write_text(secret)
    with pytest.raises(SettingsError, match=f"alerts.toml: channels.paging.secret_file: .*{problem}") as refusal:
        Channels(settings.alerts, tmp_path / "alerts.toml", utc_now)
    assert "short" not in str(refusal.value)
