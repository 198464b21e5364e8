"""Orthanc as a contestant: its default configuration, with the ports, the folder and the callers that it must know."""

import json
import subprocess
import time
from typing import Any

import httpx2

from readacross.bench.child_server import ChildServer
from readacross.bench.contestants import CALLING, Sample, Stored, Surroundings, program
from readacross.bench.synthetic import Digest
from readacross.demo.children import Child, free_ports
from readacross.demo.images import data_set_bytes

_PLACE = "/usr/sbin"
_READY_S = 20.0


class Orthanc(ChildServer):
    """Syncs each file (its default), not its index."""

    def __init__(self) -> None:
        super().__init__("Orthanc", "ORTHANC")
        self._http_port = 0

    def version(self) -> str:
        done = subprocess.run([program("Orthanc", _PLACE), "--version"], capture_output=True, text=True, check=False)
        return (done.stdout or done.stderr).splitlines()[0].strip()

    def start(self, surroundings: Surroundings) -> None:
        self.port, self._http_port = free_ports(2)
        storage = str(surroundings.folder / "storage")
        settings = {
            "StorageDirectory": storage,
            "IndexDirectory": storage,
            "DicomPort": self.port,
            "HttpPort": self._http_port,
            "DicomModalities": {
                "bench": [CALLING, "127.0.0.1", 1],
                **{title: [title, "127.0.0.1", port] for title, port in surroundings.destinations.items()},
            },
        }
        file = surroundings.folder / "orthanc.json"
        file.write_text(json.dumps(settings), encoding="utf-8")
        self._child = Child(self.name, [program("Orthanc", _PLACE), str(file)], surroundings.folder / "orthanc.log")
        self._child.wait_for_port(self.port).wait_for_port(self._http_port)
        end = time.monotonic() + _READY_S
        while not self._answers() and time.monotonic() < end:
            time.sleep(0.05)

    def stored(self, sample: Sample) -> Stored:
        """Raises ConnectionError when it does not answer."""
        try:
            with self._client() as client:
                instances = int(client.get("/statistics").json()["CountInstances"])
                return Stored(instances, {uid: self._digest(client, uid) for uid in sample.uids})
        except httpx2.HTTPError as error:
            raise ConnectionError(f"Orthanc's REST API: {type(error).__name__}") from error

    def _digest(self, client: httpx2.Client, uid: str) -> str:
        found: list[Any] = client.post("/tools/lookup", content=uid).json()
        if len(found) != 1:
            return f"{len(found)} instances of this UID"
        digest = Digest()
        digest.update(data_set_bytes(client.get(f"/instances/{found[0]['ID']}/file").content))
        return digest.hexdigest()

    def _answers(self) -> bool:
        try:
            with self._client() as client:
                return client.get("/system").status_code == 200
        except httpx2.TransportError:
            return False

    def _client(self) -> httpx2.Client:
        # Orthanc hangs up on an idle connection just when it is used again: a new one for every request
        headers = {"Connection": "close"}
        return httpx2.Client(
            base_url=f"http://127.0.0.1:{self._http_port}", timeout=60, trust_env=False, headers=headers
        )
