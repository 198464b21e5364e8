"""An Orthanc reached by its REST API (pyorthanc).

Orthanc answers `AlreadyStored` for a known SOP Instance UID whatever the bytes; the stored file is then compared, so
that other content under the same UID is refused here instead of being taken for stored.
"""

from collections.abc import Iterator, Sequence

import httpx
import pyorthanc

from dicom_nodes.encoding.part10 import data_set_of, plain_file_meta
from dicom_nodes.model.delivery import OutgoingInstance, StoreResult
from dicom_nodes.model.dimse_status import Status
from dicom_nodes.model.errors import CrashConsistency, PeerRefused, PeerUnavailable


class OrthancArchive:
    """Implements `Archive`."""

    def __init__(self, url: str, username: str | None = None, password: str | None = None) -> None:
        self._url = url
        self._orthanc = pyorthanc.Orthanc(url, username, password, timeout=60.0)

    @property
    def name(self) -> str:
        return f"orthanc at {self._url}"

    def store(self, instances: Sequence[OutgoingInstance]) -> Iterator[StoreResult]:
        for instance in instances:
            yield self._store_one(instance)

    def _store_one(self, instance: OutgoingInstance) -> StoreResult:
        uid = instance.sop_instance_uid
        meta = plain_file_meta(instance.sop_class_uid, uid, instance.transfer_syntax_uid)
        try:
            data_set = instance.read_data_set()
        except CrashConsistency as error:
            return StoreResult(uid, Status.CANNOT_UNDERSTAND, str(error))
        try:
            answer = self._orthanc.post_instances(meta + data_set)
            if answer.get("Status") == "Success":
                return StoreResult(uid, Status.SUCCESS)
            if answer.get("Status") != "AlreadyStored":
                return StoreResult(uid, Status.CANNOT_UNDERSTAND, f"Orthanc says {answer.get('Status')!r}")
            kept = self._orthanc.get_instances_id_file(answer["ID"])
        except httpx.HTTPStatusError as error:
            return self._refused(uid, error.response.status_code)
        except httpx.HTTPError as error:
            raise PeerUnavailable(f"{self.name}: {type(error).__name__}") from None
        if data_set_of(kept) == data_set:
            return StoreResult(uid, Status.SUCCESS)
        return StoreResult(uid, Status.CANNOT_UNDERSTAND, "Orthanc holds other content under this UID")

    def _refused(self, uid: str, http_status: int) -> StoreResult:
        if http_status in {401, 403}:
            raise PeerRefused(f"{self.name} refuses our user name or password (HTTP {http_status})")
        if http_status in {503, 507} or http_status == 429:
            return StoreResult(uid, Status.OUT_OF_RESOURCES, f"Orthanc answered HTTP {http_status}")
        return StoreResult(uid, Status.CANNOT_UNDERSTAND, f"Orthanc answered HTTP {http_status}")
