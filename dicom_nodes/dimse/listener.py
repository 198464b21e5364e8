"""The node's DICOM ports, plain and TLS: applies the association policy and serves those who may call."""

from collections.abc import Callable
from functools import lru_cache, partial

from dicom_nodes.config import NodeSettings, Peer
from dicom_nodes.dimse.acceptor import AcceptorPolicy
from dicom_nodes.dimse.admission import Places
from dicom_nodes.dimse.association_server import AssociationServer, Door
from dicom_nodes.dimse.data_set_sink import DataSetSink
from dicom_nodes.dimse.dispatch import Dispatcher
from dicom_nodes.dimse.messages import StoreRequest
from dicom_nodes.dimse.pacing import Pace, PeerPaces
from dicom_nodes.dimse.services import Caller, DimseServices
from dicom_nodes.dimse.store_scp import open_data_set
from dicom_nodes.foundation.certificate import PresentedCertificate
from dicom_nodes.foundation.process_limits import most_descriptors
from dicom_nodes.foundation.seldom import Seldom, SeldomEach
from dicom_nodes.foundation.settings_file import split_host_port
from dicom_nodes.foundation.tls_context import TlsContexts
from dicom_nodes.model.instance import ReceivedDataSet
from dicom_nodes.rules.acceptance import Rejection, decide_association, is_listed_host

_HOSTS_REMEMBERED = 1024


class DicomListener:
    """Listens on the address of the settings; port 0 takes a free one, see `port` after `start()`."""

    def __init__(
        self,
        settings: NodeSettings,
        services: DimseServices,
        *,
        tls: TlsContexts | None = None,
        reuse_port: bool = False,
        places: Places | None = None,
        pace_of: Callable[[Peer], Pace | None] | None = None,
    ) -> None:
        """With `reuse_port` several processes may listen on the same port; `places` and `pace_of` then speak for all of
        them. `tls` is needed where the settings have an address for it.
        """
        node = settings.node
        self._settings = settings
        self._services = services
        self._reuse_port, self._places = reuse_port, places
        self._tls = tls
        self._turned_away_lately: dict[str, Seldom] = {}
        self._tls_failed_lately = SeldomEach()
        self._policy = AcceptorPolicy(
            may_connect=lru_cache(_HOSTS_REMEMBERED)(partial(is_listed_host, settings)),
            turned_away=self._turned_away,
            decide=self._decide,
            rejected=self._rejected,
            opened=self._opened,
            closed=self._closed,
            cut_off=self._cut_off,
            tls_failed=self._tls_failed,
            broken=self._broken,
            open_sink=self._open_sink,
            pace_of=pace_of or PeerPaces().of,
            maximum_pdu_bytes=node.maximum_pdu_bytes,
            idle_s=node.idle_s,
            shortest_idle_s=min([node.idle_s, *(peer.idle_s for peer in settings.peers if peer.idle_s is not None)]),
            stall_s=node.stall_s,
            sub_operation_timeout_s=node.sub_operation_s,
            artim_s=node.artim_s,
        )
        self._server: AssociationServer | None = None

    @property
    def port(self) -> int:
        """The port listened on; 0 while stopped."""
        return 0 if self._server is None else self._server.ports[0]

    @property
    def tls_port(self) -> int:
        """The port listened on for TLS; 0 while stopped, and where there is none."""
        return 0 if self._server is None or len(self._server.ports) == 1 else self._server.ports[1]

    def start(self) -> None:
        """Bind and accept.

        Raises:
            OSError: an address cannot be bound.
        """
        node = self._settings.node
        self._server = AssociationServer(
            self._doors(),
            self._policy,
            Dispatcher(self._services),
            maximum_associations=node.maximum_associations,
            maximum_silent=min(node.maximum_waiting, most_descriptors() // 2),
            reuse_port=self._reuse_port,
            peer_places=self._places,
        )
        self._server.start()

    def stop(self, drain_s: float = 10.0) -> None:
        """Refuse new associations, let running ones finish for `drain_s`, then abort them; idempotent."""
        server, self._server = self._server, None
        if server is not None:
            server.stop(drain_s)

    def _doors(self) -> list[Door]:
        doors = [Door(split_host_port(self._settings.node.listen))]
        tls = self._settings.tls
        if tls is not None and tls.listen is not None and self._tls is not None:
            doors.append(Door(split_host_port(tls.listen), self._tls.server))
        return doors

    def _decide(
        self, called: str, calling: str, host: str, certificate: PresentedCertificate | None
    ) -> Peer | Rejection:
        return decide_association(self._settings, called=called, calling=calling, host=host, certificate=certificate)

    def _turned_away(self, host: str, why: str) -> None:
        """Told for the last host of many: connections cost their maker nothing."""
        connections = self._turned_away_lately.setdefault(why, Seldom()).happened()
        if connections:
            self._services.log.warning("connection.refused", host=host, why=why, connections=connections)

    def _open_sink(self, request: StoreRequest, caller: Caller) -> DataSetSink[ReceivedDataSet]:
        return open_data_set(request, caller, self._services)

    def _cut_off(self, caller: Caller | None, host: str, why: str) -> None:
        fields = {"peer": caller.peer.ae_title, "association": caller.association_id} if caller else {}
        self._services.log.warning("association.cut_off", host=host, why=why, **fields)

    def _tls_failed(self, host: str, why: str) -> None:
        connections = self._tls_failed_lately.happened(f"{host} {why}")
        if connections:
            self._services.log.warning("tls.failed", host=host, why=why, connections=connections)

    def _broken(self, error: BaseException) -> None:
        self._services.log.error("association.broken", exc_info=error)

    def _rejected(self, rejection: Rejection, calling: str, host: str) -> None:
        self._services.log.warning("association.rejected", calling_ae_title=calling, host=host, why=rejection.words)

    def _opened(self, caller: Caller) -> None:
        self._services.log.info("association.opened", peer=caller.peer.ae_title, association=caller.association_id)
        self._services.association_opened(caller.association_id)

    def _closed(self, caller: Caller) -> None:
        self._services.log.info("association.closed", peer=caller.peer.ae_title, association=caller.association_id)
        self._services.association_closed(caller.association_id)
