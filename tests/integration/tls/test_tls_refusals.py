"""Who is not let in by TLS, or not called: what the other side sees, and what our log says."""

import socket
import ssl
from collections.abc import Callable
from datetime import timedelta

import pytest

from dicom_nodes.dimse.association import Proposal
from dicom_nodes.dimse.listener import DicomListener
from dicom_nodes.dimse.requester import AssociationRequester
from dicom_nodes.dimse.tls_settings import tls_contexts
from dicom_nodes.dimse.verification_scu import DicomProbe
from dicom_nodes.foundation.tls_context import TlsFiles, client_context
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.errors import PeerRefused, PeerUnavailable
from dicom_nodes.upper_layer.association_pdus import AssociateRequest, encode_request
from dicom_nodes.upper_layer.presentation_contexts import ProposedContext
from dicom_nodes.upper_layer.user_information import UserInformation
from tests.integration.dimse.node import QUICK, WireNode, peer
from tests.integration.tls.conftest import RequesterOf, RunNode
from tests.peers.certificates import Authority, Identity
from tests.peers.processes import free_port, program, run, wait_until

CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
ASSOCIATE = encode_request(
    AssociateRequest("NODE", "CT1", (ProposedContext(1, CT, (EXPLICIT,)),), UserInformation(16_384))
)


def tls_entity(node: WireNode) -> ApplicationEntity:
    return ApplicationEntity("NODE", "127.0.0.1", node.listener.tls_port)


def echo(requester: AssociationRequester, ae_title: str, to: ApplicationEntity) -> str | None:
    return DicomProbe(ae_title, open_association=requester).echo(to)


def why_tls_failed(node: WireNode) -> str:
    wait_until(lambda: node.log.named("tls.failed"), "the log says why")
    (note,) = node.log.named("tls.failed")
    assert note["host"] == "127.0.0.1"
    return str(note["why"])


# -- the certificate and the AE title ----------------------------------------------------------------------------------
def test_a_caller_under_anothers_ae_title_is_not_recognised(
    run_node: RunNode, requester_of: RequesterOf, scanner: Identity, authority: Authority
) -> None:
    other = authority.issue("CT2")
    peers = [peer("CT1", certificate="dns:ct1.example"), peer("CT2", certificate=f"sha256:{other.fingerprint}")]
    with run_node(*peers) as node:
        assert echo(requester_of("CT1", scanner), "CT1", tls_entity(node)) is None
        assert echo(requester_of("CT2", other), "CT2", tls_entity(node)) is None
        assert echo(requester_of("CT1", other), "CT1", tls_entity(node)) == (
            "NODE rejects the association: our AE title 'CT1' is not known there"
        )
        (rejected,) = node.log.named("association.rejected")

    assert str(rejected["why"]).startswith("the certificate (cn:CT2, dns:ct2.example, sha256:")
    assert str(rejected["why"]).endswith("is not the peer's, which is dns:ct1.example")


def test_a_peer_with_a_certificate_may_not_call_without_tls(node: WireNode) -> None:
    assert echo(AssociationRequester("CT1", QUICK), "CT1", node.entity) == (
        "NODE rejects the association: our AE title 'CT1' is not known there"
    )
    assert [note["why"] for note in node.log.named("association.rejected")] == [
        "the peer has a certificate and may call by TLS only"
    ]


def test_a_peer_without_a_certificate_may_not_call_by_tls(
    node: WireNode, requester_of: RequesterOf, scanner: Identity
) -> None:
    assert echo(requester_of("DCMTK", scanner), "DCMTK", tls_entity(node)) == (
        "NODE rejects the association: our AE title 'DCMTK' is not known there"
    )
    assert [note["why"] for note in node.log.named("association.rejected")] == [
        "no certificate is listed for the peer: it may not call by TLS"
    ]


def test_a_partner_that_is_of_the_authority_but_somebody_else_is_not_called(
    node: WireNode, requester_of: RequesterOf, scanner: Identity
) -> None:
    with pytest.raises(PeerRefused, match=r"is not who it should be: it shows cn:NODE.* expected dns:pacs\.example"):
        requester_of("CT1", scanner, "dns:pacs.example")(tls_entity(node), [Proposal(CT, (EXPLICIT,))])
    assert node.opened == []


def test_a_partner_of_another_authority_is_not_called(
    node: WireNode, requester_of: RequesterOf, stranger: Authority, scanner: Identity
) -> None:
    files = TlsFiles(scanner.certificate, scanner.key, (stranger.certificate,))
    requester = requester_of("CT1", scanner)
    assert requester._tls is not None
    requester._tls.contexts._client = client_context(files)

    with pytest.raises(PeerUnavailable, match="its certificate comes from an authority that is not among the trusted"):
        requester(tls_entity(node), [Proposal(CT, (EXPLICIT,))])

    assert why_tls_failed(node) == "it does not trust the authority of our certificate"


# -- certificates that do not hold -------------------------------------------------------------------------------------
BAD: dict[str, tuple[Callable[[Authority, Authority], Identity], str, str]] = {
    "expired": (
        lambda ours, _: ours.issue("LATE", begins=timedelta(days=-9), ends=timedelta(days=-1)),
        "its certificate has expired",
        "it says that our certificate has expired",
    ),
    "not yet valid": (
        lambda ours, _: ours.issue("EARLY", begins=timedelta(days=1)),
        "its certificate is not valid yet; is a clock wrong?",
        "it takes our certificate for a bad one",
    ),
    "unknown authority": (
        lambda _, theirs: theirs.issue("CT1"),
        "its certificate comes from an authority that is not among the trusted ones",
        "it does not trust the authority of our certificate",
    ),
    "for servers only": (
        lambda ours, _: ours.issue("WEB", use="serverAuth"),
        "its certificate is not meant for this use (extended key usage)",
        "it takes no certificate of our kind",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_certificate_that_does_not_hold_is_refused_in_the_handshake(
    node: WireNode, requester_of: RequesterOf, authority: Authority, stranger: Authority, kind: str
) -> None:
    make, logged, told = BAD[kind]
    words = echo(requester_of("CT1", make(authority, stranger)), "CT1", tls_entity(node))

    where = f"NODE at 127.0.0.1:{node.listener.tls_port}"
    assert words in {
        f"{where} cannot be called by TLS: {told}",
        f"{where} does not answer the association request; does it take our certificate?",  # the reset outran the alert
    }
    assert why_tls_failed(node) == logged
    assert node.opened == []


def test_a_crowd_of_bad_handshakes_is_told_once(
    node: WireNode, requester_of: RequesterOf, stranger: Authority, scanner: Identity
) -> None:
    requester = requester_of("CT1", stranger.issue("CROWD"))
    for _ in range(5):
        assert echo(requester, "CT1", tls_entity(node)) is not None
    assert echo(requester_of("CT1", scanner), "CT1", tls_entity(node)) is None

    assert len(node.log.named("tls.failed")) == 1


# -- no TLS, or not of today -------------------------------------------------------------------------------------------
def openssl_client(node: WireNode, *options: str) -> str:
    address = f"127.0.0.1:{node.listener.tls_port}"
    return run([program("openssl"), "s_client", "-connect", address, *options])[1]


def test_a_caller_without_a_certificate_is_refused(node: WireNode) -> None:
    assert "ertificate required" in openssl_client(node, "-tls1_3", "-ign_eof")
    assert why_tls_failed(node) == "it shows no certificate"


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_versions_before_1_2_are_refused(node: WireNode, scanner: Identity, version: str) -> None:
    identity = ["-cert", str(scanner.certificate), "-key", str(scanner.key)]
    said = openssl_client(node, version, "-cipher", "ALL:@SECLEVEL=0", *identity)

    assert "alert protocol version" in said
    assert why_tls_failed(node) == "it offers neither TLS 1.2 nor 1.3"


@pytest.mark.parametrize("suite", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-SHA", "DHE-RSA-AES256-GCM-SHA384"])
def test_suites_without_ecdhe_or_authenticated_encryption_are_refused(node: WireNode, suite: str) -> None:
    said = openssl_client(node, "-tls1_2", "-cipher", suite)

    assert "handshake failure" in said
    assert why_tls_failed(node).startswith("no cipher suite in common")


@pytest.mark.parametrize(("version", "suite"), [("-tls1_2", "ECDHE-ECDSA-AES256-GCM-SHA384"), ("-tls1_3", None)])
def test_versions_of_today_are_spoken(
    node: WireNode, authority: Authority, scanner: Identity, version: str, suite: str | None
) -> None:
    identity = ["-cert", str(scanner.certificate), "-key", str(scanner.key), "-CAfile", str(authority.certificate)]
    said = openssl_client(node, version, *(["-cipher", suite] if suite else []), *identity, "-verify_return_error")

    assert "Verify return code: 0 (ok)" in said
    assert node.log.named("tls.failed") == []


def test_plain_dicom_at_the_tls_port_is_refused_in_words(node: WireNode) -> None:
    to = tls_entity(node)
    assert echo(AssociationRequester("DCMTK", QUICK), "DCMTK", to) == (
        f"NODE at 127.0.0.1:{to.port} does not answer the association request; is our address listed there?"
    )
    assert why_tls_failed(node) == "it does not speak TLS"


def test_tls_at_the_plain_port_is_refused_in_words(
    node: WireNode, requester_of: RequesterOf, scanner: Identity
) -> None:
    assert echo(requester_of("CT1", scanner), "CT1", node.entity) == (
        f"NODE at 127.0.0.1:{node.port} cannot be called by TLS: it does not speak TLS"
    )
    assert [note["why"] for note in node.log.named("association.cut_off")] == [
        "it speaks TLS where none is spoken: is the port the right one?"
    ]


def impatient_listener(node: WireNode) -> DicomListener:
    """A second listener of the node, which waits half a second for an association request."""
    hurried = node.settings.node.model_copy(update={"artim_s": 0.5})
    settings = node.settings.model_copy(update={"node": hurried})
    return DicomListener(settings, node.services, tls=tls_contexts(settings, lambda _why: None))


# -- callers that take their time --------------------------------------------------------------------------------------
def test_silent_and_dripping_handshakes_end_in_time_and_hold_nobody_up(
    node: WireNode, requester_of: RequesterOf, scanner: Identity
) -> None:
    listener = impatient_listener(node)
    listener.start()
    to = ApplicationEntity("NODE", "127.0.0.1", listener.tls_port)
    try:
        silent = [socket.create_connection(("127.0.0.1", to.port)) for _ in range(20)]
        started = [socket.create_connection(("127.0.0.1", to.port)) for _ in range(20)]
        for connected in started:
            connected.sendall(b"\x16\x03\x01\x02")
        assert echo(requester_of("CT1", scanner), "CT1", to) is None
        for connected in silent + started:
            connected.settimeout(5)
            assert connected.recv(1) == b""
            connected.close()
    finally:
        listener.stop(drain_s=0)


def test_a_caller_who_says_nothing_after_the_handshake_ends_in_time(
    node: WireNode, authority: Authority, scanner: Identity
) -> None:
    listener = impatient_listener(node)
    listener.start()
    context = client_context(TlsFiles(scanner.certificate, scanner.key, (authority.certificate,)))
    try:
        with context.wrap_socket(socket.create_connection(("127.0.0.1", listener.tls_port))) as secured:
            secured.settimeout(5)
            assert secured.recv(1) == b""
    finally:
        listener.stop(drain_s=0)


def test_a_partner_that_never_finishes_the_handshake_is_given_up(requester_of: RequesterOf, scanner: Identity) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        to = ApplicationEntity("NODE", "127.0.0.1", mute.getsockname()[1])
        requester = requester_of("CT1", scanner)
        requester._timeouts = type(QUICK)(connect_s=0.3, associate_s=5, response_s=5)
        words = echo(requester, "CT1", to)

    assert words == (
        f"NODE at 127.0.0.1:{to.port} cannot be called by TLS: it does not finish the TLS handshake within 0.3 s"
    )


def test_an_association_request_in_one_segment_with_the_handshakes_end_is_answered(
    node: WireNode, authority: Authority, scanner: Identity
) -> None:
    context = client_context(TlsFiles(scanner.certificate, scanner.key, (authority.certificate,)))
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(into, out)
    with socket.create_connection(("127.0.0.1", node.listener.tls_port)) as connected:
        connected.settimeout(5)
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                connected.sendall(out.read())
                into.write(connected.recv(65_536))
        client.write(ASSOCIATE)
        connected.sendall(out.read())
        answer = b""
        while not answer:
            into.write(connected.recv(65_536))
            try:
                answer = client.read(1000)
            except ssl.SSLWantReadError:
                continue

    assert answer[0] == 2  # A-ASSOCIATE-AC


def test_ports_are_both_free_again_after_one_could_not_be_bound(run_node: RunNode) -> None:
    taken = free_port()
    with socket.create_server(("127.0.0.1", taken)), run_node(peer("CT1", certificate="cn:CT1")) as node:
        assert node.settings.tls is not None
        settings = node.settings.model_copy(
            update={"tls": node.settings.tls.model_copy(update={"listen": f"127.0.0.1:{taken}"})}
        )
        plain = free_port()
        settings = settings.model_copy(
            update={"node": settings.node.model_copy(update={"listen": f"127.0.0.1:{plain}"})}
        )
        listener = DicomListener(settings, node.services, tls=tls_contexts(settings, lambda _why: None))
        with pytest.raises(OSError, match="in use"):
            listener.start()
        with socket.create_server(("127.0.0.1", plain)):
            pass
