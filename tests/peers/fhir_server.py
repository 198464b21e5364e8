"""A trust's FHIR endpoint for tests: a real HTTP server that takes DiagnosticReport as the standard says it is taken.

Shape is judged by fhir.resources (R4B), not by our own models. `PUT` updates or creates; `POST` with If-None-Exist
creates once. What it answers can be changed at any time; with `stop()` and `start()` it goes off and comes back.
"""

import json
import ssl
import threading
import uuid
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from pydantic import ValidationError


class FhirServer:
    """Listens on loopback while the `with` block runs."""

    def __init__(self, token: str | None = None, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.port = port
        self.token = token
        self.tls = tls
        self.answer: int | None = None
        """A status to answer with instead of doing anything."""
        self.words = "no"
        self.metadata = (200, b'{"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}')
        self.kept: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/R4"

    @property
    def resources(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.kept.values()]

    def start(self) -> Self:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status, body = owner.metadata if self.path.endswith("/metadata") else (404, b"")
                self._answer(status, "", body)

            def do_PUT(self) -> None:
                self._answer(*owner._take("PUT", self.path, self.headers, self._body()))

            def do_POST(self) -> None:
                self._answer(*owner._take("POST", self.path, self.headers, self._body()))

            def _body(self) -> bytes:
                return self.rfile.read(int(self.headers["Content-Length"]))

            def _answer(self, status: int, place: str, body: bytes = b"") -> None:
                self.send_response(status)
                if place:
                    self.send_header("Location", place)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _take(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, bytes]:
        self.requests.append((method, path))
        if self.token is not None and headers.get("Authorization") != f"Bearer {self.token}":
            return 401, "", b""
        if self.answer is not None:
            return self.answer, "", _outcome(self.words)
        if "fhir+json" not in (headers.get("Content-Type") or ""):
            return 415, "", b""
        try:
            DiagnosticReport.model_validate_json(body)
        except ValidationError as error:
            return 422, "", _outcome(str(error))
        return self._keep(method, path, headers, body)

    def _keep(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, bytes]:
        if method == "PUT":
            name = path.rsplit("/", 1)[1]
            if json.loads(body).get("id") != name:
                return 400, "", _outcome("the id is not the one of the address")
            status = 200 if name in self.kept else 201
        else:
            wanted = (headers.get("If-None-Exist") or "").removeprefix("identifier=").partition("|")
            for name, known in self.kept.items():
                if (wanted[0], wanted[2]) in {(i["system"], i["value"]) for i in json.loads(known)["identifier"]}:
                    return 200, f"DiagnosticReport/{name}", b""
            name, status = str(uuid.uuid4()), 201
        self.kept[name] = body
        return status, f"DiagnosticReport/{name}/_history/1", b""


def _outcome(words: str) -> bytes:
    issue = {"severity": "error", "code": "invalid", "diagnostics": words}
    return json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}).encode()
