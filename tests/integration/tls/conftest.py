"""One authority and its certificates for all tests of a process, and a node that takes TLS beside plain DICOM."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from dicom_nodes.dimse.requester import AssociationRequester
from dicom_nodes.dimse.tls_settings import TlsCaller
from dicom_nodes.foundation.tls_context import TlsContexts, TlsFiles
from tests.integration.dimse.node import QUICK, WireNode, peer, running_node
from tests.peers.certificates import Authority, Identity

ADDRESS = "127.0.0.1:0"
RunNode = Callable[..., AbstractContextManager[WireNode]]
RequesterOf = Callable[..., AssociationRequester]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"), "Elsewhere")


@pytest.fixture(scope="session")
def own(authority: Authority) -> Identity:
    """The node's certificate."""
    return authority.issue("NODE")


@pytest.fixture(scope="session")
def scanner(authority: Authority) -> Identity:
    """The certificate of the peer CT1."""
    return authority.issue("CT1")


@pytest.fixture
def run_node(tmp_path: Path, authority: Authority, own: Identity) -> RunNode:
    """Runs a node that accepts TLS; arguments are its peers."""

    def run(*peers: dict[str, Any], **node: object) -> AbstractContextManager[WireNode]:
        tls = {"listen": ADDRESS, "certificate": own.certificate, "key": own.key, "trusted": [authority.certificate]}
        return running_node(tmp_path, f"sqlite:///{tmp_path / 'node.db'}", *peers, tls=tls, **node)

    return run


@pytest.fixture
def node(run_node: RunNode) -> Iterator[WireNode]:
    """CT1 calls by TLS; DCMTK calls without."""
    with run_node(peer("CT1", certificate="dns:ct1.example"), peer("DCMTK")) as running:
        yield running


@pytest.fixture
def requester_of(authority: Authority) -> RequesterOf:
    """(AE title, its identity, which certificate the called partner must have) → a requester."""

    def make(ae_title: str, identity: Identity, wanted: str | None = "cn:NODE") -> AssociationRequester:
        contexts = TlsContexts(TlsFiles(identity.certificate, identity.key, (authority.certificate,)))
        return AssociationRequester(
            ae_title, QUICK, TlsCaller(contexts, lambda _ae_title: wanted, lambda _ae_title: True)
        )

    return make
