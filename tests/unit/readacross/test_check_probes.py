"""`readacross check` asks real partners and says in words what is wrong with them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dicom_nodes.config import OrthancArchive, Ris, load_node_settings
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.report_settings import FhirEndpoint
from readacross.check import dicom_probe, other_probes
from readacross.cli import command_line
from tests.peers.dcmtk import running_workstation
from tests.peers.fhir_server import FhirServer
from tests.peers.orthanc import running_orthanc
from tests.peers.processes import free_port
from tests.peers.ris import Behaviour, MllpRis
from tests.unit.readacross.region_files import write_region


@contextmanager
def http_server(status: int) -> Iterator[int]:
    """Answers every request with this status; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.peers("orthanc")
def test_probe_tells_a_listed_from_an_unlisted_ae_title() -> None:
    with running_orthanc("PACS", {"us": ("RXN_NODE", "127.0.0.1", 104)}) as orthanc:
        pacs = ApplicationEntity("PACS", "127.0.0.1", orthanc.dicom_port)
        for ask in (dicom_probe.echo, dicom_probe.find):
            assert ask("RXN_NODE", pacs).ok, ask("RXN_NODE", pacs).words
        assert dicom_probe.takes("RXN_NODE", pacs, dicom_probe.IMAGES | dicom_probe.REPORTS).ok
        unlisted = dicom_probe.find("STRANGER", pacs)
        assert not unlisted.ok
        assert "PACS accepts the association, refuses C-FIND" in unlisted.words
        assert "AE title 'STRANGER'" in unlisted.words
        misnamed = dicom_probe.echo("RXN_NODE", ApplicationEntity("OTHER", "127.0.0.1", orthanc.dicom_port))
        assert not misnamed.ok
        assert "AE title 'OTHER'" in misnamed.words
        assert other_probes.orthanc(OrthancArchive(kind="orthanc", url=orthanc.url)).words == "is Orthanc 1.10.1"


@pytest.mark.peers("dcmtk")
def test_probe_says_what_a_workstation_does_not_do() -> None:
    with running_workstation("WS1") as workstation:
        partner = ApplicationEntity("WS1", "127.0.0.1", workstation.port)
        assert dicom_probe.takes("RXN_NODE", partner, dicom_probe.IMAGES).words == "takes CT, MR, CR"
        refused = dicom_probe.gives_images("RXN_NODE", partner)
        assert not refused.ok
        assert not workstation.files()


def test_probe_of_nobody_says_that_nobody_listens() -> None:
    answer = dicom_probe.echo("RXN_NODE", ApplicationEntity("PACS", "127.0.0.1", free_port()))
    assert not answer.ok
    assert "refuse" in answer.words or "cannot be reached" in answer.words or "no connection" in answer.words


@pytest.mark.parametrize(
    ("behaviour", "ok", "words"),
    [
        ("AA", True, "acknowledges (AA"),
        ("AE", True, "acknowledges (AE"),
        ("AR", True, "acknowledges (AR"),
        ("hang up", False, "hangs up without an acknowledgement"),
    ],
)
def test_ris_that_acknowledges_anything_is_alive(behaviour: Behaviour, ok: bool, words: str) -> None:
    with MllpRis(behaviour) as ris:
        answer = other_probes.ris(Ris(address=ris.address), "RXN")
        assert (answer.ok, words in answer.words) == (ok, True)
        assert b"|NMQ^N01|" in ris.messages[0], "a check must not send what a RIS would file"
    assert not other_probes.ris(Ris(address=ris.address), "RXN").ok


@pytest.mark.parametrize(
    ("status", "ok", "words"),
    [
        (200, True, "takes our token"),
        (401, False, "does not know our token"),
        (403, False, "not one of the node RXN"),
        (404, False, "answers 404: is this the router?"),
    ],
)
def test_router_probe_says_what_is_wrong_with_the_token(tmp_path: Path, status: int, ok: bool, words: str) -> None:
    with http_server(status) as port:
        settings = load_node_settings(write_region(tmp_path, router_port=port)[0])
        answer = other_probes.router(settings)
    assert (answer.ok, words in answer.words) == (ok, True)
    assert "secret" not in answer.words


def test_check_shows_every_partner_and_fails_when_one_does(tmp_path: Path) -> None:
    with http_server(200) as port:
        files = write_region(tmp_path, router_port=port)
        result = CliRunner(env={"COLUMNS": "200"}).invoke(command_line(), ["check", *map(str, files)])
    lines = result.output.splitlines()
    assert any("RXN.toml" in line and "router" in line and "✓" in line for line in lines)
    for partner in ("archive RXN_PACS", "workstation RXL_WS", "node RXN (RXN_NODE)"):
        assert any(partner in line and "✗" in line for line in lines), partner
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("answer", "ok", "words"),
    [
        ((200, b'{"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}'), True, "speaks FHIR 4.0.1"),
        ((200, b'{"fhirVersion": "5.0.0"}'), False, "speaks FHIR 5.0.0; reports are R4"),
        ((200, b"<html>"), False, "is this a FHIR server's base?"),
        ((404, b""), False, "answers 404 to /metadata"),
        ((401, b""), False, "refuses our token"),
    ],
)
def test_a_fhir_endpoint_is_asked_what_it_speaks(answer: tuple[int, bytes], ok: bool, words: str) -> None:
    with FhirServer() as server:
        server.metadata = answer
        found = other_probes.fhir(FhirEndpoint(url=server.url))
    assert (found.ok, server.kept) == (ok, {})
    assert words in found.words


def test_a_fhir_endpoint_that_is_off_is_said_to_be() -> None:
    found = other_probes.fhir(FhirEndpoint(url=f"http://127.0.0.1:{free_port()}/R4"))
    assert not found.ok
    assert "cannot be reached" in found.words
