"""A node with [tls] fetches from nodes of its own file only, however the router's order words it: never in plain."""

import socket
from pathlib import Path

import pytest

from dicom_nodes.config import NodeSettings, load_node_settings
from dicom_nodes.contract import (
    FetchStudy,
    Manifest,
    ManifestEntry,
    NodeAddress,
    Order,
    OrderBatch,
    OrderParked,
    PatientIdentity,
    StudyIdentity,
)
from dicom_nodes.dimse.association import Proposal
from dicom_nodes.dimse.requester import AssociationRequester
from dicom_nodes.dimse.tls_settings import TlsCaller
from dicom_nodes.foundation.clock import utc_now
from dicom_nodes.foundation.tls_context import TlsContexts, TlsFiles
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.errors import PeerRefused
from dicom_nodes.rules.fetch_source import source_of
from tests.integration.dimse.node import QUICK
from tests.integration.tls.test_tls_node import bound, tls_table
from tests.peers.certificates import Authority, Identity
from tests.peers.node import facts_of, peer, running_node, write_trust_file
from tests.peers.processes import wait_until

NODE = bound(peer("RXL_NODE", "node", ("echo", "get")), "dns:node.rxl.example")
ADDRESSED = bound(peer("RXO_NODE", "node", ("echo", "get"), "10.1.2.3:11112"), "dns:node.rxo.example")
PACS = peer("PACS", "archive", ("echo",))


@pytest.fixture
def file(tmp_path: Path, authority: Authority, own: Identity) -> Path:
    return write_trust_file(tmp_path, peers=[tls_table(own, authority), NODE, ADDRESSED, PACS])


@pytest.fixture
def settings(file: Path) -> NodeSettings:
    return load_node_settings(file)


def address(ae_title: str, host: str = "127.0.0.1", port: int = 2762) -> NodeAddress:
    return NodeAddress(ods_code="RXL", ae_title=ae_title, host=host, port=port)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (address("rxl_node"), r'add \[\[peers\]\] with ae_title = .rxl_node., role = "node", address and certificate'),
        (address("RXL_NODE "), "is fetched from only where it is listed"),
        (address("PACS"), 'role = "node"'),
        (address("RXL_NODE", "10.9.9.9"), "expected a host within its allowed_hosts"),
        (address("RXL_NODE", "node.rxl.example"), "expected a host within its allowed_hosts"),
        (address("RXO_NODE", "10.1.2.3", 104), "expected its address 10.1.2.3:11112; correct peers.address"),
        (address("RXO_NODE", "127.0.0.1", 11112), "expected its address 10.1.2.3:11112"),
    ],
)
def test_a_source_that_is_not_a_listed_node_is_refused_in_words(
    settings: NodeSettings, named: NodeAddress, words: str
) -> None:
    with pytest.raises(PeerRefused, match=words):
        source_of(settings, named)


def test_a_listed_node_is_called_where_the_order_says(settings: NodeSettings) -> None:
    assert source_of(settings, address("RXL_NODE")) == ApplicationEntity("RXL_NODE", "127.0.0.1", 2762)
    found = source_of(settings, address("RXO_NODE", "10.1.2.3", 11112))
    assert found == ApplicationEntity("RXO_NODE", "10.1.2.3", 11112)


def test_without_tls_the_source_is_whom_the_order_names(tmp_path: Path) -> None:
    plain = load_node_settings(write_trust_file(tmp_path))

    assert source_of(plain, address("RXL_NODE")) == ApplicationEntity("RXL_NODE", "127.0.0.1", 2762)


def test_an_order_that_misspells_its_source_is_parked_and_nobody_is_called(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as answering, running_node(file) as node:
        entry = ManifestEntry(
            sop_instance_uid="1.2.3.1",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
            series_instance_uid="1.2.3.2",
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            digest="0" * 64,
            size_bytes=1,
        )
        body = FetchStudy(
            read_id="read-1",
            study=StudyIdentity(
                study_instance_uid="1.2.3",
                origin="RXL",
                accession_number=None,
                accession_issuer=None,
                patient=PatientIdentity(issuer=None, patient_id=None),
            ),
            revision=1,
            manifest=Manifest(entries=(entry,)),
            source=address("rxl_node", port=answering.getsockname()[1]),
        )
        order = Order(seq=1, order_id="order-1", issued_at=utc_now(), body=body)
        node.store.orders.accept(OrderBatch(log_id="log-1", orders=(order,)))

        parked = wait_until(lambda: next((f for f in facts_of(node) if isinstance(f, OrderParked)), None), "parked")

        assert parked is not None
        assert "with [tls], a node is fetched from only where it is listed" in parked.reason
        answering.setblocking(False)
        with pytest.raises(BlockingIOError):
            answering.accept()


def test_no_caller_with_tls_speaks_plain_to_somebody_unknown(
    settings: NodeSettings, authority: Authority, own: Identity
) -> None:
    contexts = TlsContexts(TlsFiles(own.certificate, own.key, (authority.certificate,)))
    call = AssociationRequester("RXN_NODE", QUICK, TlsCaller(contexts, settings.certificate_of, settings.may_be_called))
    with socket.create_server(("127.0.0.1", 0)) as answering:
        to = ApplicationEntity("rxl_node", "127.0.0.1", answering.getsockname()[1])
        with pytest.raises(PeerRefused, match="only those are that this trust's file lists"):
            call(to, [Proposal("1.2.840.10008.1.1", ("1.2.840.10008.1.2",))])
        connection, _ = answering.accept()
        with connection:
            assert connection.recv(1) == b""
