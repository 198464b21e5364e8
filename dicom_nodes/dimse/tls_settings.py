"""How a node's TLS settings reach its connections: accepted ones, and those it makes."""

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from dicom_nodes.config import NodeSettings
from dicom_nodes.dimse.connection import Connection, Transport
from dicom_nodes.dimse.tls_connection import CIPHERTEXT_BYTES, TlsConnection
from dicom_nodes.foundation.certificate import is_bound
from dicom_nodes.foundation.tls_context import TlsContexts
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.errors import PeerRefused, PeerUnavailable


@dataclass(frozen=True, slots=True)
class TlsCaller:
    """Calls those partners by TLS that have a certificate in our settings, and nobody else."""

    contexts: TlsContexts
    certificate_of: Callable[[str], str | None]
    """(AE title) → the certificate it must have; None where it is called without TLS."""
    is_known: Callable[[str], bool]
    """(AE title) → whether our settings say how it is called. Nobody else is: plain is never what is left over."""

    def connection(
        self, connected: socket.socket, to: ApplicationEntity, *, tick_s: float, send_s: float, handshake_s: float
    ) -> Transport:
        """A connection to the partner, by TLS with the partner's own certificate where it has one.

        Raises:
            PeerUnavailable: TLS does not come about; PeerRefused: it does, with somebody else,
                or the partner is nobody we know. The socket is closed.
        """
        wanted = self.certificate_of(to.ae_title)
        if wanted is None and not self.is_known(to.ae_title):
            connected.close()
            raise PeerRefused(
                f"{to.ae_title} at {to.host}:{to.port} is not called: with [tls], only those are that this trust's "
                "file lists; add it under [[peers]], with its certificate where it has one"
            )
        if wanted is None:
            return Connection(connected, tick_s=tick_s, send_s=send_s)
        plain = Connection(connected, tick_s=min(tick_s, handshake_s / 4), send_s=send_s, buffer_bytes=CIPHERTEXT_BYTES)
        secured = TlsConnection(plain, self.contexts.client(), server_side=False)
        secured.shake_hands(handshake_s)
        where = f"{to.ae_title} at {to.host}:{to.port}"
        if secured.failure is not None:
            secured.close()
            raise PeerUnavailable(f"{where} cannot be called by TLS: {secured.failure}")
        if secured.certificate is None or not is_bound(wanted, secured.certificate):
            secured.close()
            raise PeerRefused(f"{where} is not who it should be: it shows {secured.certificate}, expected {wanted}")
        return secured


def accepted(connected: socket.socket, context: ssl.SSLContext | None, *, tick_s: float, send_s: float) -> Transport:
    """A connection that came in, with TLS where there is a context; its handshake comes with the first `receive`."""
    if context is None:
        return Connection(connected, tick_s=tick_s, send_s=send_s)
    plain = Connection(connected, tick_s=tick_s, send_s=send_s, buffer_bytes=CIPHERTEXT_BYTES)
    return TlsConnection(plain, context, server_side=True)


def tls_contexts(settings: NodeSettings, not_reloaded: Callable[[str], None]) -> TlsContexts | None:
    """The contexts of the settings' files; None where there is no TLS.

    Raises:
        TlsFilesError: the files cannot be used.
    """
    return None if settings.tls is None else TlsContexts(settings.tls.files, not_reloaded)
