"""HTTP heads with an end: the fast parser keeps a URL and headers however long they are, before any token is looked at.

The slower one (h11), which uvicorn takes where httptools is missing, has such a limit of its own.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD_BYTES = 65_536
_TOO_LARGE = f"The URL and headers have more than {LARGEST_HEAD_BYTES} bytes."


class _HeadTooLarge(Exception):
    """Ends the parsing of a request."""


class BoundedHttp(HttpToolsProtocol):
    """Closes a connection whose URL and headers, or trailers, go on beyond the limit; a body may be of any length."""

    _unfinished = 0
    """Bytes that came since the last end of a head or piece of a body: the parser keeps them."""
    _moved_on = False

    def data_received(self, data: bytes) -> None:
        self._moved_on = False
        super().data_received(data)
        self._unfinished = 0 if self._moved_on else self._unfinished + len(data)
        if self._unfinished > LARGEST_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(_TOO_LARGE)

    def on_headers_complete(self) -> None:
        self._moved_on = True
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > LARGEST_HEAD_BYTES:
            raise _HeadTooLarge  # the parser stops, and the connection is closed with 400
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._moved_on = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._moved_on = True
        super().on_message_complete()
