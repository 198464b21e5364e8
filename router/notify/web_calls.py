"""One POST over HTTPS, and what its answer means for a notification."""

import socket
import ssl
from urllib.parse import urlsplit

import httpx2

from router.model.errors import ChannelFailed

_TRY_AGAIN = frozenset({408, 425, 429})


def reach(url: str, context: ssl.SSLContext, timeout_s: float) -> str:
    """Open the connection and shake hands, and ask nothing: whatever is asked of a paging hub may page somebody.

    Raises:
        ChannelFailed: nobody listens there, or its certificate is not one we trust.
    """
    parts = urlsplit(url)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    try:
        with socket.create_connection((host, parts.port or (443 if is_tls else 80)), timeout_s) as plain:
            if not is_tls:
                return "takes the connection"
            with context.wrap_socket(plain, server_hostname=host) as secure:
                return f"takes the connection by {secure.version()}"
    except OSError as error:  # TLS too
        words = getattr(error, "verify_message", "") or error.strerror or type(error).__name__
        raise ChannelFailed(f"{parts.hostname}:{parts.port or ''} cannot be used: {words}", retryable=True) from None


def post(client: httpx2.Client, url: str, content: bytes, headers: dict[str, str], name: str) -> httpx2.Response:
    """The answer, which is a 2xx; redirects are refused, because they would carry the message elsewhere.

    Raises:
        ChannelFailed: no answer, or another one; permanent for 3xx and 4xx that say so.
    """
    try:
        answer = client.post(url, content=content, headers=headers, follow_redirects=False)
    except httpx2.HTTPError as error:
        raise ChannelFailed(f"{name} did not answer: {type(error).__name__}", retryable=True) from None
    if answer.is_success:
        return answer
    status = answer.status_code
    raise ChannelFailed(f"{name} answered {status}", retryable=status >= 500 or status in _TRY_AGAIN)
