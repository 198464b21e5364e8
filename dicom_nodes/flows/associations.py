"""Which open associations are sending which studies: a study does not settle while one still does."""

import threading
from datetime import datetime


class OpenAssociations:
    """Kept in memory on purpose: after a restart there are none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._studies: dict[str, dict[str, datetime]] = {}

    def opened(self, association_id: str) -> None:
        with self._lock:
            self._studies.setdefault(association_id, {})

    def touched(self, association_id: str, study_instance_uid: str, at: datetime) -> None:
        """An instance of the study came over this association; ignored when it is not a listener's."""
        with self._lock:
            if association_id in self._studies:
                self._studies[association_id][study_instance_uid] = at

    def closed(self, association_id: str) -> None:
        with self._lock:
            self._studies.pop(association_id, None)

    def sending(self, study_instance_uid: str) -> dict[str, datetime]:
        """Open associations that sent the study, with when each last did."""
        with self._lock:
            return {
                association_id: studies[study_instance_uid]
                for association_id, studies in self._studies.items()
                if study_instance_uid in studies
            }
