"""The addresses that all receivers listen on, held by the main process so that they stay the node's."""

import socket
from collections.abc import Sequence

from dicom_nodes.config import NodeSettings
from dicom_nodes.foundation.settings_file import split_host_port


class HeldAddresses:
    """Bound and never listened on: connections go to the receivers, who bind the same with SO_REUSEPORT."""

    def __init__(self, addresses: Sequence[tuple[str, int]]) -> None:
        """Raises OSError where somebody else listens there, sharing or not: it would get some of our connections."""
        self._sockets: list[socket.socket] = []
        try:
            for address in addresses:
                if address[1]:
                    _bound(address, shared=False).close()
                self._sockets.append(_bound(address, shared=True))
        except OSError:
            self.close()
            raise

    @property
    def ports(self) -> tuple[int, ...]:
        return tuple(int(held.getsockname()[1]) for held in self._sockets)

    def close(self) -> None:
        for held in self._sockets:
            held.close()


def addresses_of(settings: NodeSettings) -> list[tuple[str, int]]:
    """Plain, then TLS where there is any."""
    addresses = [split_host_port(settings.node.listen)]
    if settings.tls is not None and settings.tls.listen is not None:
        addresses.append(split_host_port(settings.tls.listen))
    return addresses


def with_ports(settings: NodeSettings, ports: Sequence[int]) -> NodeSettings:
    """The same settings with the ports that the system gave where they leave the choice to it."""
    node = settings.node.model_copy(update={"listen": _with_port(settings.node.listen, ports[0])})
    tls = settings.tls
    if tls is not None and tls.listen is not None:
        tls = tls.model_copy(update={"listen": _with_port(tls.listen, ports[1])})
    return settings.model_copy(update={"node": node, "tls": tls})


def _with_port(address: str, port: int) -> str:
    return f"{address.rpartition(':')[0]}:{port}"


def _bound(address: tuple[str, int], *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
