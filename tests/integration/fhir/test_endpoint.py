"""Reports to a FHIR endpoint over HTTP and TLS: there once, refused in words, and never anywhere without the token."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from dicom_nodes.fhir.endpoint import FhirReportSender
from dicom_nodes.fhir.outgoing_report import text_of
from dicom_nodes.model.errors import NothingSent, PeerRefused, PeerUnavailable
from dicom_nodes.report_settings import FhirEndpoint
from tests.fakes.report_samples import TRUST, outgoing_report
from tests.peers.certificates import Authority
from tests.peers.fhir_server import FhirServer
from tests.peers.processes import free_port


def sender(url: str, **changes: Any) -> FhirReportSender:
    return FhirReportSender(FhirEndpoint(url=url, **changes), TRUST)


def test_put_twice_is_there_once_and_the_next_version_follows_it() -> None:
    with FhirServer() as server:
        to = sender(server.url)
        assert to.send(outgoing_report(status="P")).code == "201"
        assert to.send(outgoing_report(status="P")).code == "200"
        final = to.send(outgoing_report(version=2, text="Final < text."))
        assert (final.accepted, final.code) == (True, "200")
        (kept,) = server.resources
        assert kept["status"] == "final"
        assert text_of(next(iter(server.kept.values()))) == "Final < text."
        assert final.reference.startswith(f"DiagnosticReport/{kept['id']}")


def test_posted_twice_is_there_once_and_each_version_is_a_resource() -> None:
    with FhirServer() as server:
        to = sender(server.url, method="post")
        answers = [to.send(outgoing_report()) for _ in range(3)]
        assert [answer.code for answer in answers] == ["201", "200", "200"]
        to.send(outgoing_report(version=2, status="C"))
        assert sorted(kept["status"] for kept in server.resources) == ["corrected", "final"]


def test_the_token_is_read_for_each_report_so_that_it_may_be_renewed(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old\n")
    with FhirServer(token="new") as server:
        to = sender(server.url, token_file=token)
        assert (to.send(outgoing_report()).accepted, server.kept) == (False, {})
        token.write_text("new\n")
        assert to.send(outgoing_report()).accepted
        token.unlink()
        with pytest.raises(PeerRefused, match="token_file cannot be read"):
            to.send(outgoing_report())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 422, 302])
def test_a_refusal_has_the_servers_words_and_is_not_tried_again(status: int) -> None:
    with FhirServer() as server:
        server.answer, server.words = status, "who is O'Brien?"
        answer = sender(server.url).send(outgoing_report())
    assert (answer.accepted, answer.code, answer.words) == (False, str(status), "who is O'Brien?")


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_an_answer_that_says_later_is_tried_again(status: int) -> None:
    with FhirServer() as server:
        server.answer = status
        with pytest.raises(PeerUnavailable, match=f"HTTP {status}"):
            sender(server.url).send(outgoing_report())


def test_an_endpoint_that_is_off_is_tried_again() -> None:
    with pytest.raises(NothingSent, match="does not answer"):
        sender(f"http://127.0.0.1:{free_port()}/R4").send(outgoing_report())


def test_only_a_server_of_our_authority_gets_a_report_by_tls(tmp_path: Path) -> None:
    ours, others = Authority(tmp_path / "ours"), Authority(tmp_path / "others", "Somebody else")
    identity = ours.issue("fhir.example.nhs.uk", "IP:127.0.0.1")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(identity.certificate, identity.key)
    with FhirServer(tls=tls) as server:
        with pytest.raises(NothingSent, match="does not answer"):
            sender(server.url, trusted=others.certificate).send(outgoing_report())
        assert server.requests == []
        assert sender(server.url, trusted=ours.certificate).send(outgoing_report()).accepted
