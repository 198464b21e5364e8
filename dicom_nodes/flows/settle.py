"""Make revisions of the studies that have stopped growing."""

from collections.abc import Callable

from dicom_nodes.flows.associations import OpenAssociations
from dicom_nodes.flows.ports import Checkpoint, SettlingStore, no_checkpoint
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.rules.settling import Settle, decide

OnSettled = Callable[[str, int], None]


class SettleStudies:
    """Call it every so often; each call settles whatever is due."""

    def __init__(
        self,
        store: SettlingStore,
        associations: OpenAssociations,
        quiet_s: float,
        clock: Clock,
        on_settled: OnSettled,
        checkpoint: Checkpoint = no_checkpoint,
        hold_s: float = 0.0,
        is_uncatalogued: Callable[[str], bool] = lambda _study: False,
    ) -> None:
        """`is_uncatalogued` says whether something of a study is kept that no row knows: it is not settled without."""
        self._is_uncatalogued = is_uncatalogued
        self._store, self._associations, self._quiet_s, self._clock = store, associations, quiet_s, clock
        self._on_settled, self._checkpoint, self._hold_s = on_settled, checkpoint, hold_s

    def __call__(self) -> None:
        for study in self._store.growing_studies():
            uid = study.study_instance_uid
            sending, now = self._associations.sending(uid), self._clock()
            verdict = decide(study.last_arrival, sending, self._quiet_s, now, study.announced, self._hold_s)
            if isinstance(verdict, Settle) and not self._is_uncatalogued(uid):
                revision = self._store.settle(uid)
                if revision is not None:
                    self._checkpoint("settle.settled")
                    self._on_settled(uid, revision)
