"""The node's DICOM port: applies the association policy and serves those who may call."""

from dicom_nodes.config import NodeSettings, Peer
from dicom_nodes.dimse.dispatch import Dispatcher
from dicom_nodes.dimse.pynetdicom_acceptor import AcceptorPolicy, NodeServer, make_server
from dicom_nodes.dimse.services import Caller, DimseServices
from dicom_nodes.foundation.seldom import Seldom
from dicom_nodes.foundation.settings_file import split_host_port
from dicom_nodes.rules.acceptance import Rejection, decide_association, is_listed_host


class DicomListener:
    """Listens on the address of the settings; port 0 takes a free one, see `port` after `start()`."""

    def __init__(
        self,
        settings: NodeSettings,
        services: DimseServices,
        *,
        idle_s: float = 300.0,
        stall_s: float = 30.0,
        first_pdu_s: float = 10.0,
        sub_operation_timeout_s: float = 60.0,
    ) -> None:
        """`idle_s` without traffic, or a PDU that is not whole after `stall_s`, ends an association.

        A connection that has not asked for one within `first_pdu_s` ends too.
        """
        self._settings = settings
        self._services = services
        self._idle_s = idle_s
        self._turned_away_lately: dict[str, Seldom] = {}
        self._policy = AcceptorPolicy(
            may_connect=lambda host: is_listed_host(settings, host),
            turned_away=self._turned_away,
            decide=self._decide,
            rejected=self._rejected,
            opened=self._opened,
            closed=self._closed,
            broken=self._broken,
            maximum_associations=settings.node.maximum_associations,
            sub_operation_timeout_s=sub_operation_timeout_s,
            stall_s=stall_s,
            first_pdu_s=first_pdu_s,
        )
        self._server: NodeServer | None = None

    @property
    def port(self) -> int:
        """The port listened on; 0 while stopped."""
        return 0 if self._server is None else self._server.port

    def start(self) -> None:
        """Bind and accept.

        Raises:
            OSError: the address cannot be bound.
        """
        node = self._settings.node
        self._server = make_server(
            node.ae_title,
            split_host_port(node.listen),
            node.maximum_pdu_bytes,
            self._idle_s,
            self._policy,
            Dispatcher(self._services),
        )
        self._server.start()

    def stop(self, drain_s: float = 10.0) -> None:
        """Refuse new associations, let running ones finish for `drain_s`, then abort them; idempotent."""
        server, self._server = self._server, None
        if server is not None:
            server.stop(drain_s)

    def _decide(self, called: str, calling: str, host: str) -> Peer | Rejection:
        return decide_association(self._settings, called=called, calling=calling, host=host)

    def _turned_away(self, host: str, why: str) -> None:
        """Told for the last host of many: connections cost their maker nothing."""
        connections = self._turned_away_lately.setdefault(why, Seldom()).happened()
        if connections:
            self._services.log.warning("connection.refused", host=host, why=why, connections=connections)

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
