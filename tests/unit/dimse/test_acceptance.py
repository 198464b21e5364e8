"""Who may call, and what for."""

from pathlib import Path

import pytest

from dicom_nodes.config import NodeSettings, Peer
from dicom_nodes.dimse.sop_classes import Service, service_of
from dicom_nodes.foundation.certificate import PresentedCertificate
from dicom_nodes.model.errors import NotAuthorised
from dicom_nodes.model.instance import Channel
from dicom_nodes.rules.acceptance import Rejection, channel_of, decide_association, is_listed_host, require_action

CT, BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.11"


def peer(role: str = "modality", *may: str) -> Peer:
    return Peer.model_validate({"ae_title": "CT1", "role": role, "allowed_hosts": ["10.1.0.0/16"], "may": may})


@pytest.fixture
def settings(tmp_path: Path) -> NodeSettings:
    return NodeSettings.model_validate(
        {
            "trust": {"ods_code": "RXN", "name": "Exampleshire"},
            "node": {"ae_title": "NODE", "listen": "127.0.0.1:0", "data_dir": tmp_path / "data"},
            "router": {"url": "http://127.0.0.1:1", "token_file": tmp_path / "token"},
            "archive": {"kind": "embedded", "directory": tmp_path / "archive"},
            "peers": [peer("modality", "store")],
        }
    )


@pytest.mark.parametrize(
    ("called", "calling", "host", "reason"),
    [
        ("OTHER", "CT1", "10.1.2.3", 7),
        ("NODE", "CT2", "10.1.2.3", 3),
        ("NODE", "ct1", "10.1.2.3", 3),
        ("NODE", "CT1", "10.2.2.3", 3),
        ("NODE", "CT1", "::ffff:10.2.2.3", 3),
    ],
)
def test_unknown_called_or_calling_or_host_is_rejected_for_good(
    settings: NodeSettings, called: str, calling: str, host: str, reason: int
) -> None:
    decision = decide_association(settings, called=called, calling=calling, host=host)

    assert isinstance(decision, Rejection)
    assert (decision.result, decision.source, decision.reason) == (1, 1, reason)


@pytest.mark.parametrize("host", ["10.1.2.3", "::ffff:10.1.2.3"])
def test_listed_peer_from_its_host_is_accepted(settings: NodeSettings, host: str) -> None:
    decision = decide_association(settings, called="NODE", calling="CT1", host=host)

    assert isinstance(decision, Peer)
    assert decision.ae_title == "CT1"


def test_action_that_is_not_listed_is_not_authorised() -> None:
    require_action(peer("modality", "store"), "store")
    with pytest.raises(NotAuthorised):
        require_action(peer("modality", "store"), "find")


def test_node_may_not_store_even_where_a_file_lists_it() -> None:
    with pytest.raises(NotAuthorised):
        require_action(peer("node", "store", "get"), "store")


@pytest.mark.parametrize(
    ("role", "sop_class", "channel"),
    [
        ("workstation", BASIC_TEXT_SR, Channel.REPORT),
        ("workstation", CT, Channel.ACQUIRED),
        ("modality", BASIC_TEXT_SR, Channel.ACQUIRED),
        ("archive", BASIC_TEXT_SR, Channel.ACQUIRED),
    ],
)
def test_only_a_workstations_report_document_is_a_report(role: str, sop_class: str, channel: Channel) -> None:
    assert channel_of(peer(role, "store"), sop_class) is channel


@pytest.mark.parametrize(
    ("uid", "service"),
    [
        ("1.2.840.10008.1.1", Service.ECHO),
        (CT, Service.STORE),
        ("1.2.840.10008.5.1.4.1.1.5", Service.STORE),  # Nuclear Medicine Image Storage, retired
        ("1.2.840.10008.5.1.4.1.1.9999", Service.STORE),  # one the standard may add
        ("1.3.12.2.1107.5.9.1", Service.STORE),  # Siemens CSA Non-Image, private
        ("1.2.840.10008.5.1.4.1.2.2.1", Service.FIND),
        ("1.2.840.10008.5.1.4.1.2.1.2", Service.MOVE),
        ("1.2.840.10008.5.1.4.1.2.2.3", Service.GET),
        ("1.2.840.10008.1.20.1", Service.COMMITMENT),
        ("1.2.840.10008.5.1.4.31", Service.WORKLIST),
        ("1.2.840.10008.5.1.4.34.6.1", None),  # UPS Push
        ("1.2.840.10008.5.1.4.1.1.200.4", None),  # CT Defined Procedure Protocol FIND
        ("1.2.840.10008.5.1.1.9", None),  # Basic Grayscale Print Management
    ],
)
def test_abstract_syntax_asks_for_its_service(uid: str, service: Service | None) -> None:
    assert service_of(uid) is service


@pytest.mark.parametrize(("host", "listed"), [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("10.2.2.3", False)])
def test_only_hosts_that_a_peer_calls_from_are_listened_to(settings: NodeSettings, host: str, listed: bool) -> None:
    assert is_listed_host(settings, host) is listed


@pytest.mark.parametrize(
    ("listed", "shown", "why"),
    [
        (None, None, None),
        ("dns:ct1.example", "ct1.example", None),
        ("dns:ct1.example", None, "the peer has a certificate and may call by TLS only"),
        ("dns:ct1.example", "ct2.example", "the certificate (dns:ct2.example, sha256:) is not the peer's"),
        (None, "ct1.example", "no certificate is listed for the peer: it may not call by TLS"),
    ],
)
def test_the_certificate_must_be_the_one_listed_for_the_ae_title(
    settings: NodeSettings, listed: str | None, shown: str | None, why: str | None
) -> None:
    bound = settings.peers[0].model_copy(update={"certificate": listed})
    settings = settings.model_copy(update={"peers": (bound,)})
    certificate = None if shown is None else PresentedCertificate(dns_names=(shown,))

    decision = decide_association(settings, called="NODE", calling="CT1", host="10.1.2.3", certificate=certificate)

    if why is None:
        assert decision == bound
    else:
        assert isinstance(decision, Rejection)
        assert (decision.result, decision.source, decision.reason) == (1, 1, 3)
        assert decision.words.startswith(why)
