"""One report of a study after the other by each channel: no older one slips in while a newer one is on its way."""

import threading

_OfStudy = tuple[str, str]
"""Study Instance UID and channel."""


class ReturnTurns:
    """Who has a turn keeps it until what was answered is written down. Nobody waits for one while having another."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._taken: set[_OfStudy] = set()

    def take_if_free(self, of_study: _OfStudy) -> bool:
        with self._change:
            if of_study in self._taken:
                return False
            self._taken.add(of_study)
            return True

    def take(self, of_study: _OfStudy, within_s: float) -> bool:
        """Wait for it; False where it was another's all the while."""
        with self._change:
            is_free = self._change.wait_for(lambda: of_study not in self._taken, within_s)
            if is_free:
                self._taken.add(of_study)
            return is_free

    def give_back(self, of_study: _OfStudy) -> None:
        with self._change:
            self._taken.discard(of_study)
            self._change.notify_all()
