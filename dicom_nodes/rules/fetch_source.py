"""Whom an order to fetch may have us call: the router names a node, this trust's file decides whether we know it."""

from ipaddress import ip_address

from dicom_nodes.config import NodeSettings, Peer
from dicom_nodes.contract import NodeAddress
from dicom_nodes.foundation.settings_file import split_host_port
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.errors import PeerRefused


def source_of(settings: NodeSettings, named: NodeAddress) -> ApplicationEntity:
    """The node to fetch from. Without a [tls] table it is whoever the order names.

    With one, an AE title or address that we do not know is never called: it has no certificate here, so
    patients' images would be asked for in plain of whoever answers.

    Raises:
        PeerRefused: with [tls], the order's source is no peer of role "node", or not where that peer is.
    """
    if settings.tls is not None:
        peer = settings.peer(named.ae_title)
        what = f"source {named.ae_title!r} ({named.ods_code}) at {named.host}:{named.port}"
        if peer is None or peer.role != "node":
            raise PeerRefused(
                f"{what} is not called: with [tls], a node is fetched from only where it is listed; "
                f'add [[peers]] with ae_title = {named.ae_title!r}, role = "node", address and certificate '
                f"to this trust's file, or correct the AE title in the router's network file"
            )
        if not _is_at(peer, named.host, named.port):
            expected = f"its address {peer.address}" if peer.address else "a host within its allowed_hosts"
            raise PeerRefused(
                f"{what} is not called: expected {expected}; correct peers.address of {named.ae_title!r} in this "
                "trust's file, or host and port in the router's network file"
            )
    return ApplicationEntity(named.ae_title, named.host, named.port)


def _is_at(peer: Peer, host: str, port: int) -> bool:
    """At its address where it has one, else at a host that it may call from; a name that needs DNS is none."""
    if peer.address is not None:
        known_host, known_port = split_host_port(peer.address)
        return port == known_port and _same(host) == _same(known_host)
    try:
        return peer.allows_host(host)
    except ValueError:
        return False


def _same(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        return host.lower().rstrip(".")
