"""Where files contradict each other, although each is right by itself. Pure: it looks at nothing but the settings."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from itertools import combinations
from pathlib import Path

from dicom_nodes.config import DimseArchive, NodeSettings
from dicom_nodes.contract import NodeAddress
from dicom_nodes.foundation.settings_file import split_host_port
from dicom_nodes.model.errors import PeerRefused
from dicom_nodes.rules.fetch_source import source_of
from readacross.check.loading import Files, Finding, TrustFile
from router.config import NodeSeed, RouterSettings

_ANY_ADDRESS = {"0.0.0.0", "::"}


def disagreements(files: Files) -> Iterator[Finding]:
    """Every finding across the files, and inside one file between its tables."""
    for trust in files.trusts:
        yield from _inside(trust)
    for one, other in combinations(files.trusts, 2):
        yield from _between(one, other)
    for router in files.routers:
        network = router.router.seeds.network
        for trust in files.trusts:
            yield from _node_as_the_network_knows_it(trust, router, network)
            yield from _reports_go_home_alike(trust, router, network)
        yield from _readers_are_reachable(files.trusts, router)


def _reports_go_home_alike(trust: TrustFile, router: RouterSettings, network: Path) -> Iterator[Finding]:
    """The router waits for the channels by which the node sends, and for the trust's own answer."""
    reports, here = trust.settings.reports, trust.settings.trust.ods_code
    for number, known in enumerate(router.network.trusts):
        if known.ods_code != here:
            continue
        if set(known.returns.channels) != set(reports.return_channels):
            wanted, sent = ", ".join(known.returns.channels), ", ".join(reports.return_channels)
            words = f"are {wanted}, but {trust.path} says reports.channels for {sent}"
            yield Finding(network, f"trusts[{number}].returns.channels", words)
        elif reports.closed_as not in known.returns.closed_by:
            words = f"is without {reports.closed_as}, but {trust.path} says reports.closes = {reports.closes!r}"
            yield Finding(network, f"trusts[{number}].returns.closed_by", words)


# -- one trust file ------------------------------------------------------------------------------------------------
def _inside(trust: TrustFile) -> Iterator[Finding]:
    settings, path = trust.settings, trust.path
    listening: dict[str, str] = {}
    for key, address in _listening(settings):
        if address in listening and not address.endswith(":0"):
            yield Finding(path, key, f"{address} is already taken by {listening[address]}")
        listening.setdefault(address, key)
    archive = settings.archive
    if isinstance(archive, DimseArchive) and archive.ae_title == settings.node.ae_title:
        yield Finding(path, "archive.ae_title", f"{archive.ae_title!r} is the node's own; expected the PACS's")
    for number, peer in enumerate(settings.peers):
        if peer.role == "workstation" and peer.address is None:
            yield Finding(
                path, f"peers[{number}].address", f"is missing: nothing can be delivered to {peer.ae_title!r}"
            )


def _listening(settings: NodeSettings) -> Iterator[tuple[str, str]]:
    yield "node.listen", settings.node.listen
    if settings.tls is not None and settings.tls.listen is not None:
        yield "tls.listen", settings.tls.listen
    if settings.hl7 is not None:
        yield "hl7.listen", settings.hl7.listen
    if settings.node.health_listen is not None:
        yield "node.health_listen", settings.node.health_listen


# -- two trust files -----------------------------------------------------------------------------------------------
def _between(one: TrustFile, other: TrustFile) -> Iterator[Finding]:
    mine, theirs = one.settings, other.settings
    for key, value, taken in (
        ("trust.ods_code", theirs.trust.ods_code, mine.trust.ods_code),
        ("node.ae_title", theirs.node.ae_title, mine.node.ae_title),
        ("node.data_dir", str(theirs.node.data_dir), str(mine.node.data_dir)),
        ("router.token_file", str(theirs.router.token_file), str(mine.router.token_file)),
    ):
        if value == taken:
            yield Finding(other.path, key, f"{value!r} is used by {one.path} too; each node needs its own")
    taken_addresses = {address: key for key, address in _listening(mine)}
    for key, address in _listening(theirs):
        host, port = split_host_port(address)
        if host not in _ANY_ADDRESS and port != 0 and address in taken_addresses:
            yield Finding(other.path, key, f"{address} is already taken by {taken_addresses[address]} of {one.path}")
    for file, called in ((one, other), (other, one)):
        yield from _speak_tls_both(file, called)
    for file, node in ((one, theirs), (other, mine)):
        for number, peer in enumerate(file.settings.peers):
            if peer.ae_title == node.node.ae_title and peer.role != "node":
                yield Finding(
                    file.path,
                    f"peers[{number}].role",
                    f'{peer.ae_title!r} is the node of {node.trust.ods_code}; expected role "node", got {peer.role!r}',
                )


def _speak_tls_both(caller: TrustFile, called: TrustFile) -> Iterator[Finding]:
    """A node that calls another by TLS must be expected to."""
    if caller.settings.certificate_of(called.settings.node.ae_title) is None:
        return
    for number, peer in enumerate(called.settings.peers):
        if peer.ae_title == caller.settings.node.ae_title and peer.certificate is None:
            words = f"is missing, but {caller.path} has {peer.ae_title!r} call by TLS"
            yield Finding(called.path, f"peers[{number}].certificate", words)


# -- a trust file and the router's ---------------------------------------------------------------------------------
def _node_as_the_network_knows_it(trust: TrustFile, router: RouterSettings, network: Path) -> Iterator[Finding]:
    settings, ods_code = trust.settings, trust.settings.trust.ods_code
    seed = _node_of(router, ods_code)
    if seed is None:
        yield Finding(network, "nodes", f"has no node for {ods_code}, whose file is {trust.path}")
        return
    key = f"nodes[{router.network.nodes.index(seed)}]"
    if seed.ae_title != settings.node.ae_title:
        words = f"is {seed.ae_title!r}, but {trust.path} says node.ae_title = {settings.node.ae_title!r}"
        yield Finding(network, f"{key}.ae_title", words)
    listens_key, listens = _where_nodes_call(settings)
    host, port = split_host_port(listens)
    if port == 0:
        words = f"asks for any free port, but others find {ods_code} at port {seed.port} ({network}); give that one"
        yield Finding(trust.path, listens_key, words)
    elif port != seed.port:
        yield Finding(network, f"{key}.port", f"is {seed.port}, but {trust.path} listens at {listens}")
    if _is_ip(host) and _is_ip(seed.host) and host not in _ANY_ADDRESS and host != seed.host:
        yield Finding(network, f"{key}.host", f"is {seed.host}, but {trust.path} listens at {listens}")
    nodes = {node.ae_title: node for node in router.network.nodes}
    for number, peer in enumerate(settings.peers):
        if peer.role == "node" and peer.ae_title not in nodes:
            yield Finding(trust.path, f"peers[{number}].ae_title", f"{peer.ae_title!r} is no node of {network}")
        elif peer.role == "node":
            yield from _may_be_fetched_from(trust, number, nodes[peer.ae_title])


def _may_be_fetched_from(trust: TrustFile, number: int, node: NodeSeed) -> Iterator[Finding]:
    """With [tls], a node is called only where the trust's own file expects it."""
    named = NodeAddress(ods_code=node.ods_code, ae_title=node.ae_title, host=node.host, port=node.port)
    try:
        source_of(trust.settings, named)
    except PeerRefused as refusal:
        yield Finding(trust.path, f"peers[{number}].address", str(refusal))


def _where_nodes_call(settings: NodeSettings) -> tuple[str, str]:
    """(key, address) at which other nodes call: by TLS as soon as one of them has a certificate."""
    by_tls = any(peer.role == "node" and peer.certificate is not None for peer in settings.peers)
    if by_tls and settings.tls is not None and settings.tls.listen is not None:
        return "tls.listen", settings.tls.listen
    return "node.listen", settings.node.listen


def _readers_are_reachable(trusts: Sequence[TrustFile], router: RouterSettings) -> Iterator[Finding]:
    files = {trust.settings.trust.ods_code: trust for trust in trusts}
    origins: set[tuple[str, str]] = set()
    for number, reader in enumerate(router.readers.readers):
        station = reader.workstation
        where = f"readers[{number}] of {router.router.seeds.readers}"
        if station.node in files:
            yield from _workstation(files[station.node], station.ae_title, where)
        origins |= {(credential.trust, station.node) for credential in reader.credentials}
    for origin, destination in sorted(origins):
        seed = _node_of(router, destination)
        if origin != destination and origin in files and seed is not None:
            yield from _may_fetch(files[origin], seed)


def _workstation(trust: TrustFile, ae_title: str, where: str) -> Iterator[Finding]:
    peer = trust.settings.peer(ae_title)
    if peer is None:
        words = f'has no {ae_title!r}, the workstation of {where}; add it with role = "workstation" and its address'
        yield Finding(trust.path, "peers", words)
    elif peer.role != "workstation":
        key = f"peers[{trust.settings.peers.index(peer)}].role"
        yield Finding(trust.path, key, f"is {peer.role!r}, but {ae_title!r} is the workstation of {where}")


def _may_fetch(trust: TrustFile, reading: NodeSeed) -> Iterator[Finding]:
    """The node where images are read must be let in by the node that has them."""
    why = f"readers at {reading.ods_code} read for {trust.settings.trust.ods_code}"
    peer = trust.settings.peer(reading.ae_title)
    if peer is None:
        words = f'has no {reading.ae_title!r}, but {why}; add it with role = "node" and may = ["echo", "get"]'
        yield Finding(trust.path, "peers", words)
        return
    key = f"peers[{trust.settings.peers.index(peer)}]"
    if "get" not in peer.may:
        yield Finding(trust.path, f"{key}.may", f'does not let {reading.ae_title!r} "get", but {why}')
    elif _is_ip(reading.host) and not peer.allows_host(reading.host):
        words = f"do not hold {reading.host}, where {reading.ods_code}'s node is ({why})"
        yield Finding(trust.path, f"{key}.allowed_hosts", words)


def _node_of(router: RouterSettings, ods_code: str) -> NodeSeed | None:
    return next((node for node in router.network.nodes if node.ods_code == ods_code), None)


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
