"""A region whose alerts go to real channels on loopback: an SMTP server, and an HTTP server for webhook and FHIR."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from fastapi.testclient import TestClient

from dicom_nodes.contract import AlertCode
from router.app import create_app
from router.config import RouterSettings, load_router_settings
from tests.integration.router.region import NodeSide, Region, TestClock, issue, write_region
from tests.peers.processes import free_port

CRITICAL = AlertCode(value="CRITICAL", scheme="99ALERT", text="Critical finding")
SECRET = "a shared secret of the paging hub, 32+"

ALERTS = """
public_url = "http://127.0.0.1:8400"
schemes = ["99ALERT", "LOCAL"]
first_retry_s = 1.0
attempts = 10

[channels.mail]
kind = "email"
server = "127.0.0.1:{smtp}"
sender = "alerts@readacross.test"
tls = "none"

[channels.paging]
kind = "webhook"
url = "http://127.0.0.1:{http}/hook"
secret_file = "paging.secret"

[channels.fhir]
kind = "fhir"
url = "http://127.0.0.1:{http}/fhir"

[channels.ris]
kind = "ris"

[[trusts]]
ods_code = "RXN"
codes = [
  {{ code = "CRITICAL", scheme = "99ALERT", category = "critical finding", urgency = "critical", {hour} }},
  {{ code = "SOON", scheme = "99ALERT", category = "significant", urgency = "significant", deadline_minutes = 20 }},
]
ladder = [
  {{ who = "referrer", minutes = 10, recipients = [{{ name = "Ward 7", {first} }}] }},
  {{ who = "team", minutes = 15, recipients = [
    {{ name = "Results team", channel = "mail", address = "results@rxn.test" }},
    {{ name = "Pager 12", channel = "paging", address = "12" }},
  ] }},
  {{ who = "duty_manager", minutes = 20, recipients = [
    {{ name = "RXN duty manager", channel = "mail", address = "duty@rxn.test" }},
    {{ name = "RXN duty inbox", channel = "fhir", address = "PractitionerRole/1" }},
  ] }},
]

[[trusts]]
ods_code = "RXL"
codes = [
  {{ code = "CRITICAL", scheme = "99ALERT", category = "critical finding", urgency = "critical", {hour} }},
]
ladder = [
  {{ who = "team", minutes = 10, recipients = [{{ name = "RXL team", channel = "mail", address = "team@rxl.test" }}] }},
  {{ who = "duty_manager", minutes = 20, recipients = [
    {{ name = "RXL duty manager", channel = "mail", address = "duty@rxl.test" }},
  ] }},
]
"""


@dataclass
class Mailbox:
    """A real SMTP server; `refuse` is its answer to RCPT while set, such as `550 no such mailbox`."""

    mails: list[EmailMessage] = field(default_factory=list)
    refuse: str | None = None
    port: int = 0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if self.refuse is not None:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        mail = BytesParser(_class=EmailMessage, policy=default).parsebytes(envelope.content)
        self.mails.append(mail)  # type: ignore[arg-type]
        return "250 taken"

    def to(self) -> list[str]:
        """Whom mails went to, in order."""
        return [str(mail["To"]) for mail in self.mails]

    def link(self, number: int = -1) -> str:
        """Path of the one-time link in this mail."""
        found = re.search(r"http://127\.0\.0\.1:\d+(/alert/\S+)", self.mails[number].get_content())
        assert found is not None
        return found.group(1)


@contextmanager
def running_mailbox() -> Iterator[Mailbox]:
    mailbox = Mailbox(port=free_port())
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


@dataclass
class Hub:
    """A real HTTP server that keeps what is posted to it and answers with `status`."""

    status: int = 201
    posts: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0


@contextmanager
def running_hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hub.posts.append((self.path, dict(self.headers), body))
            self.send_response(hub.status)
            self.send_header("Location", "/fhir/Communication/1")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    hub.port = server.server_address[1]
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def write_alert_region(
    folder: Path, database_url: str, smtp: int, http: int, *, ris: bool = False, more: str = ""
) -> RouterSettings:
    """As `write_region`, with alerts.toml; `more` goes before its tables."""
    write_region(folder, database_url)
    first = 'channel = "ris"' if ris else 'channel = "mail", address = "ward7@rxn.test"'
    text = ALERTS.format(smtp=smtp, http=http, hour="deadline_minutes = 60", first=first)
    (folder / "alerts.toml").write_text(more + text)
    (folder / "paging.secret").write_text(SECRET)
    router = folder / "router.toml"
    router.write_text(router.read_text().replace("[router]\n", '[router]\nalerts = "alerts.toml"\n'))
    return load_router_settings(router)


@dataclass
class AlertRegion(Region):
    """`mail` and `hub` are what the channels reach."""

    mail: Mailbox = field(default_factory=Mailbox)
    hub: Hub = field(default_factory=Hub)

    def work(self) -> None:
        """The alerts' clock and channels, until nothing is due at the test's time."""
        self.client.app.state.alerts.run_once()  # type: ignore[attr-defined]

    def pass_minutes(self, minutes: float) -> None:
        self.clock.pass_s(minutes * 60)
        self.work()

    def alert(self, index: int = -1, **params: Any) -> dict[str, Any]:
        """One alert in full, the newest by default."""
        found = self.get("/alerts", **params)
        detail = self.get(f"/alerts/{found[index]['id']}")
        assert isinstance(detail, dict)
        return detail

    def answer(self, alert: dict[str, Any], how: str, **body: str) -> Any:
        body = {"person": "Sister Aspen, ward 7", "reason": "told by telephone"} | body
        return self.client.post(f"/alerts/{alert['id']}/{how}", json=body, headers=self.staff)


@contextmanager
def running_alert_region(folder: Path, database_url: str, **options: Any) -> Iterator[AlertRegion]:
    with running_mailbox() as mail, running_hub() as hub:
        settings = write_alert_region(folder, database_url, mail.port, hub.port, **options)
        clock = TestClock()
        app = create_app(settings, clock, plan_in_background=False)
        with TestClient(app) as client:
            nodes = [NodeSide(client, issue(client, "node", ods_code), clock) for ods_code in ("RXN", "RXL")]
            yield AlertRegion(settings, clock, client, *nodes, mail, hub)
