"""Manifests of revisions: kept once in the database, and the last ones used in memory, by their digest.

A manifest is most of an order for images, and the same for the fetch and for each delivery: an order's row names the
revision, and whoever reads the order gets the manifest from there.
"""

import threading
from collections import OrderedDict
from typing import Any

from sqlalchemy import Connection, Select, Text, bindparam, cast, select

from dicom_nodes.contract import Manifest
from router.model.errors import NotFound
from router.store import tables as t

_INSTANCES = 50_000
"""How many instances the manifests in memory hold together, at most; about 60 MB."""
_Key = tuple[str, int, str]
_R = t.study_revision.c
_THIS = (_R.study_instance_uid == bindparam("uid"), _R.revision == bindparam("number"))
_DIGEST, _MANIFEST = select(_R.manifest_digest).where(*_THIS), select(_R.manifest).where(*_THIS)
_TEXT = select(cast(_R.manifest, Text)).where(*_THIS)


class KeptManifests:
    """Shared by all transactions of a store. Known by study, revision and digest: what was rolled back harms nobody."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._manifests: OrderedDict[_Key, Manifest] = OrderedDict()
        self._instances = 0

    def get(self, key: _Key) -> Manifest | None:
        with self._lock:
            if key in self._manifests:
                self._manifests.move_to_end(key)
            return self._manifests.get(key)

    def put(self, key: _Key, manifest: Manifest) -> None:
        with self._lock:
            if key in self._manifests or len(manifest.entries) > _INSTANCES:
                return
            self._manifests[key] = manifest
            self._instances += len(manifest.entries)
            while self._instances > _INSTANCES:
                _, oldest = self._manifests.popitem(last=False)
                self._instances -= len(oldest.entries)


class SqlManifests:
    def __init__(self, connection: Connection, kept: KeptManifests) -> None:
        self._connection, self._kept = connection, kept

    def get(self, study_instance_uid: str, revision: int) -> Manifest:
        """The manifest of this revision.

        Raises:
            NotFound: there is no such revision.
        """
        key = (study_instance_uid, revision, str(self._one(_DIGEST, study_instance_uid, revision)))
        manifest = self._kept.get(key)
        if manifest is None:
            manifest = Manifest.model_validate(self._one(_MANIFEST, study_instance_uid, revision))
            self._kept.put(key, manifest)
        return manifest

    def keep(self, study_instance_uid: str, revision: int, manifest: Manifest) -> None:
        """It was just written, and somebody may want it soon."""
        self._kept.put((study_instance_uid, revision, manifest.digest), manifest)

    def text(self, study_instance_uid: str, revision: int) -> str:
        """The same as the JSON that is stored."""
        return str(self._one(_TEXT, study_instance_uid, revision))

    def is_of(self, study_instance_uid: str, revision: int, manifest: Manifest) -> bool:
        """Whether this is the manifest of that revision."""
        try:
            return self.get(study_instance_uid, revision) == manifest
        except NotFound:
            return False

    def _one(self, query: Select[Any], study_instance_uid: str, revision: int) -> Any:
        row = self._connection.execute(query, {"uid": study_instance_uid, "number": revision}).one_or_none()
        if row is None:
            raise NotFound(f"revision {revision} of the study is not known")
        return row[0]
