"""`readacross check` says which channel of alerts.toml would take an alert, and sends none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from readacross.check.alert_probe import reach
from readacross.check.partners import alert_probes
from router.alert_settings import AlertsFile
from tests.integration.router.alert_region import Mailbox, running_hub, running_mailbox, write_alert_region
from tests.peers.fhir_server import FhirServer
from tests.peers.processes import free_port

SECRET = "a shared secret of the paging hub, 32+"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with running_mailbox() as running:
        yield running


def alone(tmp_path: Path, **channel: object) -> AlertsFile:
    (tmp_path / "paging.secret").write_text(SECRET)
    return AlertsFile.model_validate({"public_url": "https://r.test", "channels": {"one": channel}})


def test_every_channel_but_the_ris_is_asked_and_nothing_is_sent(tmp_path: Path, mailbox: Mailbox) -> None:
    with running_hub() as hub:
        settings = write_alert_region(tmp_path, f"sqlite:///{tmp_path}/r.sqlite", mailbox.port, hub.port)
        outcomes = {probe.partner: probe.outcome() for probe in alert_probes(settings)}
        assert (mailbox.mails, hub.posts) == ([], [])
    assert sorted(outcomes) == ["alert channel fhir", "alert channel mail", "alert channel paging"]
    mail, paging, fhir = (outcomes[f"alert channel {name}"] for name in ("mail", "paging", "fhir"))
    assert (mail.ok, mail.question, mail.file) == (True, "SMTP", "alerts.toml")
    assert mail.words == "answers 250 without TLS, asks for no login; an alert is not sent by a check"
    assert (paging.ok, paging.words) == (True, "takes the connection; an alert is not sent by a check")
    assert (fhir.ok, "is this a FHIR server's base" in fhir.words) == (False, True)


def test_a_fhir_server_says_what_it_speaks(tmp_path: Path) -> None:
    with FhirServer() as server:
        answer = reach(alone(tmp_path, kind="fhir", url=server.url), tmp_path / "alerts.toml")
        assert (answer.ok, server.requests) == (True, [])
        assert answer.words.startswith("speaks FHIR 4.0.1")


def test_a_channel_that_is_down_or_has_no_secret_says_which(tmp_path: Path, mailbox: Mailbox) -> None:
    file, port, secret = tmp_path / "alerts.toml", free_port(), tmp_path / "paging.secret"
    sender = {"kind": "email", "sender": "a@b.test"}
    for channel, words in (
        ({**sender, "server": f"127.0.0.1:{port}", "tls": "none"}, f"the relay 127.0.0.1:{port} cannot be used"),
        ({**sender, "server": f"127.0.0.1:{mailbox.port}", "tls": "starttls"}, "cannot be used"),
        (
            {"kind": "webhook", "url": f"http://127.0.0.1:{port}", "secret_file": secret},
            "127.0.0.1",
        ),
        ({"kind": "webhook", "url": "https://h.test", "secret_file": tmp_path / "none"}, "channels.one.secret_file"),
    ):
        answer = reach(alone(tmp_path, **channel), file)
        assert (answer.ok, words in answer.words) == (False, True), answer.words
        assert SECRET not in answer.words
