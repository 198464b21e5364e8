"""Channels against real servers: what counts as taken, what is tried again, and whom they believe."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from dicom_nodes.foundation.clock import utc_now
from router.alert_settings import EmailChannel, FhirChannel, WebhookChannel
from router.model.alert import AlertMessage, Recipient, Urgency
from router.model.errors import ChannelFailed
from router.model.report_place import Place, Whereabouts
from router.notify.email import SmtpChannel
from router.notify.fhir import FhirCommunication
from router.notify.webhook import SignedWebhook
from tests.integration.router.alert_region import Mailbox, running_hub, running_mailbox
from tests.peers.certificates import Authority
from tests.peers.processes import free_port

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
MESSAGE = AlertMessage(
    notification_id="n-1",
    alert_id="a-1",
    recipient=Recipient("Ward 7", "mail", "ward7@rxn.test"),
    trust="RXN",
    accession_number="A1",
    code="CRITICAL",
    code_text="Łódź – pneumothorax",
    category="critical finding",
    urgency=Urgency.CRITICAL,
    level=1,
    raised_at=NOW,
    deadline_at=NOW + timedelta(hours=1),
    link="http://127.0.0.1:8400/alert/x",
    whereabouts=Whereabouts(Place.ON_ITS_WAY, "its author at RXL", "RXN", owed=("ris",)),
)
PLAIN = ssl.create_default_context()


def email(port: int, context: ssl.SSLContext = PLAIN, password: str | None = None, **more: Any) -> SmtpChannel:
    values = {"kind": "email", "server": f"127.0.0.1:{port}", "sender": "a@b.test", "tls": "none", "timeout_s": 2.0}
    return SmtpChannel(EmailChannel(**(values | more)), password, context, utc_now)


@contextmanager
def secure_mailbox(folder: Path) -> Iterator[tuple[Mailbox, Path]]:
    """An SMTP server that wants STARTTLS and a password, and the authority that vouches for it."""
    authority = Authority(folder)
    identity = authority.issue("relay", "IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate, identity.key)
    mailbox = Mailbox(port=free_port())

    def authenticator(_server: Any, _session: Any, _envelope: Any, _mechanism: Any, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"readacross", b"secret"), handled=False)

    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=mailbox.port,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=authenticator,
    )
    controller.start()
    try:
        yield mailbox, authority.certificate
    finally:
        controller.stop()


def test_mail_goes_over_tls_to_a_relay_that_is_proved_and_signed_in_to(tmp_path: Path) -> None:
    with secure_mailbox(tmp_path) as (mailbox, authority):
        known = ssl.create_default_context(cafile=authority)
        right = {"tls": "starttls", "username": "readacross", "password_file": tmp_path / "p"}
        assert email(mailbox.port, known, "secret", **right).send(MESSAGE) == "<alert-n-1@b.test>"
        assert "Łódź – pneumothorax" in mailbox.mails[0].get_content()
        with pytest.raises(ChannelFailed, match="refused SMTPAuthenticationError with 535") as refused:
            email(mailbox.port, known, "wrong", **right).send(MESSAGE)
        assert not refused.value.retryable
        with pytest.raises(ChannelFailed, match="SSLCertVerificationError"):
            email(mailbox.port, PLAIN, "secret", **right).send(MESSAGE)
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize(
    ("answer", "retryable"), [("550 no such mailbox", False), ("451 later", True), ("421 going away", True)]
)
def test_what_the_relay_says_decides_whether_it_is_tried_again(answer: str, retryable: bool) -> None:
    with running_mailbox() as mailbox:
        mailbox.refuse = answer
        with pytest.raises(ChannelFailed, match=answer[:3]) as refused:
            email(mailbox.port).send(MESSAGE)
    assert refused.value.retryable is retryable
    assert "mailbox" not in str(refused.value)


def test_a_relay_that_is_off_is_tried_again() -> None:
    with pytest.raises(ChannelFailed, match="ConnectionRefusedError") as refused:
        email(free_port()).send(MESSAGE)
    assert refused.value.retryable


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(302, False), (400, False), (404, False), (429, True), (500, True), (503, True)],
)
def test_what_a_web_server_answers_decides_whether_it_is_tried_again(status: int, retryable: bool) -> None:
    message = replace(MESSAGE, recipient=Recipient("Pager", "paging"))
    with running_hub() as hub, httpx2.Client(timeout=2) as client:
        hub.status = status
        url = f"http://127.0.0.1:{hub.port}"
        webhook = WebhookChannel(kind="webhook", url=url, secret_file=Path("s"))
        for channel in (
            SignedWebhook(webhook, b"s" * 32, client, ssl.create_default_context(), utc_now),
            FhirCommunication(FhirChannel(kind="fhir", url=url), "token", client),
        ):
            with pytest.raises(ChannelFailed, match=str(status)) as refused:
                channel.send(message)
            assert refused.value.retryable is retryable
        hub.status = 200
        assert (
            SignedWebhook(webhook, b"s" * 32, client, ssl.create_default_context(), utc_now).send(message) == "HTTP 200"
        )
        FhirCommunication(FhirChannel(kind="fhir", url=url), "token", client).send(message)
        assert hub.posts[-1][1]["Authorization"] == "Bearer token"


def test_a_web_server_that_is_off_is_tried_again() -> None:
    webhook = WebhookChannel(kind="webhook", url=f"http://127.0.0.1:{free_port()}", secret_file=Path("s"))
    with httpx2.Client() as client, pytest.raises(ChannelFailed, match="ConnectError") as refused:
        SignedWebhook(webhook, b"s" * 32, client, ssl.create_default_context(), utc_now).send(MESSAGE)
    assert refused.value.retryable
