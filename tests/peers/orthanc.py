"""Orthanc as a trust's PACS: a server of the test's own in a temporary folder, asked over its REST API."""

import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from pydicom import dcmread

from tests.peers.processes import RunningProcess, free_port, program, wait_until


class Orthanc:
    """A running Orthanc; `kill()` and `start()` stand for a PACS that goes away and comes back with its data."""

    def __init__(self, folder: Path, ae_title: str, modalities: Mapping[str, tuple[str, str, int]]) -> None:
        self.ae_title = ae_title
        self.dicom_port = free_port()
        self.http_port = free_port()
        self._configuration = folder / "orthanc.json"
        self._configuration.write_text(json.dumps(self._settings(folder, modalities)), encoding="utf-8")
        self._process: RunningProcess | None = None
        # Orthanc hangs up on an idle connection just when it is used again: a new one for every request
        self._http = httpx2.Client(base_url=self.url, timeout=10, trust_env=False, headers={"Connection": "close"})

    def _settings(self, folder: Path, modalities: Mapping[str, tuple[str, str, int]]) -> dict[str, Any]:
        return {
            "Name": self.ae_title,
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "DicomAet": self.ae_title,
            "DicomCheckCalledAet": True,
            "DicomPort": self.dicom_port,
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "UnknownSopClassAccepted": True,
            "DicomAlwaysAllowFind": False,
            "DicomAlwaysAllowMove": False,
            "DicomModalities": {name: list(entry) for name, entry in modalities.items()},
            "OverwriteInstances": False,
            "StableAge": 1,
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def dicom_address(self) -> str:
        return f"127.0.0.1:{self.dicom_port}"

    def start(self) -> None:
        """Start and wait until both its doors are open."""
        self._process = RunningProcess([program("Orthanc", "/usr/sbin"), self._configuration])
        self._process.wait_for_port(self.dicom_port).wait_for_port(self.http_port)
        wait_until(self._is_ready, "Orthanc answers REST")

    def stop(self) -> None:
        """Stop it; a second call does nothing."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process = None

    def close(self) -> None:
        self.stop()
        self._http.close()

    def _is_ready(self) -> bool:
        try:
            return self._http.get("/system").status_code == 200
        except httpx2.TransportError:
            return False

    def know(self, name: str, ae_title: str, port: int) -> None:
        """Add a modality on this machine, or say anew where it is."""
        self._http.put(f"/modalities/{name}", json=[ae_title, "127.0.0.1", port]).raise_for_status()

    def post(self, path: str, body: object) -> Any:
        """POST JSON to a REST resource; JSON of the answer."""
        answer = self._http.post(path, json=body)
        answer.raise_for_status()
        return answer.json()

    def get(self, path: str) -> Any:
        """JSON of a REST resource."""
        answer = self._http.get(path)
        answer.raise_for_status()
        return answer.json()

    def find(self, level: str, **query: str) -> list[dict[str, Any]]:
        """Resources of a level ("Study", "Series", "Instance") whose tags match exactly, expanded."""
        body = {"Level": level, "Query": query, "Expand": True, "CaseSensitive": True}
        answer = self._http.post("/tools/find", json=body)
        answer.raise_for_status()
        return list(answer.json())

    def instance_count(self, study_instance_uid: str | None = None) -> int:
        """How many instances it holds, of one study or of all."""
        if study_instance_uid is None:
            return int(self.get("/statistics")["CountInstances"])
        return len(self.find("Instance", StudyInstanceUID=study_instance_uid))

    def study_uids(self) -> set[str]:
        """Study Instance UIDs of everything it holds."""
        return {study["MainDicomTags"]["StudyInstanceUID"] for study in self.get("/studies?expand")}

    def file(self, sop_instance_uid: str) -> bytes:
        """The instance as the Part 10 file that is in its storage."""
        found = self.find("Instance", SOPInstanceUID=sop_instance_uid)
        assert len(found) == 1, f"{len(found)} instances with SOP Instance UID {sop_instance_uid}"
        answer = self._http.get(f"/instances/{found[0]['ID']}/file")
        answer.raise_for_status()
        return answer.content

    def pixel_digest(self, sop_instance_uid: str) -> str:
        """SHA-256 (hex) of the value of PixelData, byte for byte as stored."""
        return hashlib.sha256(dcmread(io.BytesIO(self.file(sop_instance_uid))).PixelData).hexdigest()


@contextmanager
def running_orthanc(ae_title: str, modalities: Mapping[str, tuple[str, str, int]] | None = None) -> Iterator[Orthanc]:
    """Run an Orthanc; `modalities` maps a symbolic name to (AE title, host, port) of those it knows."""
    folder = Path(tempfile.mkdtemp(prefix="readacross-orthanc-"))
    orthanc = Orthanc(folder, ae_title, modalities or {})
    try:
        orthanc.start()
        yield orthanc
    finally:
        orthanc.close()
        shutil.rmtree(folder, ignore_errors=True)
