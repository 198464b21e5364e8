"""What instances that are being kept just now say of their studies, until the catalogue knows it.

So several associations may keep instances of one study at once, each syncing for itself, and still no study is taken
for two patients.
"""

import threading
from collections.abc import Callable

from dicom_nodes.model.study import StudyOwner
from dicom_nodes.rules.ingest import Take, Verdict
from dicom_nodes.rules.ownership import merged_owner

Judge = Callable[[StudyOwner | None], Verdict]


class StudyClaims:
    """Judges an instance against its study's owner and claims the study for it in one step; safe for threads."""

    def __init__(self, owner_of: Callable[[str], StudyOwner | None]) -> None:
        """`owner_of` is the catalogue's word."""
        self._owner_of = owner_of
        self._claimed: dict[str, list[StudyOwner]] = {}
        self._locks = [threading.Lock() for _ in range(256)]

    def judged(self, study_instance_uid: str, said: StudyOwner, judge: Judge) -> Verdict:
        """The verdict; a `Take` holds the study's claim until `release` with the same `said`."""
        with self._locks[hash(study_instance_uid) % len(self._locks)]:
            owner = self._owner_of(study_instance_uid)
            for claimed in self._claimed.get(study_instance_uid, ()):
                owner = merged_owner(owner, claimed)
            verdict = judge(owner)
            if isinstance(verdict, Take):
                self._claimed.setdefault(study_instance_uid, []).append(said)
            return verdict

    def release(self, study_instance_uid: str, said: StudyOwner) -> None:
        """The instance is noted, or was not kept after all."""
        with self._locks[hash(study_instance_uid) % len(self._locks)]:
            claimed = self._claimed[study_instance_uid]
            claimed.remove(said)
            if not claimed:
                del self._claimed[study_instance_uid]
