"""`GET /health` on a local address, for a service manager: 200 when the node takes images in, 503 when it refuses."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from dicom_nodes.flows.ports import HealthProbe
from dicom_nodes.foundation.settings_file import split_host_port


class HealthPage:
    """A tiny HTTP server around a health probe."""

    def __init__(self, listen: str, probe: HealthProbe) -> None:
        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path != "/health":
                    self.send_error(404)
                    return
                health = probe()
                body = health.model_dump_json(indent=2).encode()
                self.send_response(503 if health.state == "refusing" else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing: each look at the page is not an event."""

        self._server = ThreadingHTTPServer(split_host_port(listen), Page)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="health-page")

    @property
    def port(self) -> int:
        return self._server.server_port

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop answering; a page that was never started only lets go of its address."""
        if self._thread.ident is not None:  # `shutdown` waits for ever for a server that never ran
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
