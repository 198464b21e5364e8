"""Reports that one worker returns one after the other: read together, sent singly, written down together.

Each report is decided by what is known of it while its study's turn is held, and sent by itself; its failure is its
own. What a channel has answered is durable a moment later: who is killed in between sends the same message again,
under the same number, which its receiver knows it by.
"""

import math
import threading
import time
from collections.abc import Callable, Sequence

from dicom_nodes import contract
from dicom_nodes.flows.ordered_report import ordered_report
from dicom_nodes.flows.ports import Catalogue, Checkpoint
from dicom_nodes.flows.return_ports import SHOWS_THE_LAST, ReturnedAnswer, ReturnPlace, ReturnStore, Standing
from dicom_nodes.flows.return_turns import ReturnTurns
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.foundation.jobs import Job
from dicom_nodes.model.errors import CrashConsistency, HandBack, NothingSent, PeerRefused
from dicom_nodes.model.report import ChannelAnswer, OutgoingReport
from dicom_nodes.model.study import StudyRecord

Send = Callable[[str, str, OutgoingReport, Standing], ChannelAnswer]
"""(order id, channel, report, standing) → the channel's yes; raises otherwise."""
_SETTLE_WITHIN_S = 0.25
"""An answer does not wait longer to be written down than about this, however slow the next one is."""


_WAIT_S = 1.0
"""So long a report waits for its study's turn; then it goes back into the queue, and others are sent."""
_SURE_S = 5.0
"""Who waited longer, for whatever, does not rely on the job's lease any more."""


class ReturnGroup:
    """Call it with one job after the other; `settle` may be called by another thread meanwhile."""

    def __init__(
        self,
        jobs: Sequence[Job],
        store: ReturnStore,
        catalogue: Catalogue,
        own_ods: str,
        turns: ReturnTurns,
        send: Send,
        checkpoint: Checkpoint,
        none_follows: Callable[[], None],
    ) -> None:
        """`none_follows` is called by the worker that sends, before it waits for anything but the next answer."""
        self.settle_within_s = _SETTLE_WITHIN_S
        self._jobs, self._store, self._catalogue, self._own_ods = jobs, store, catalogue, own_ods
        self._turns, self._send, self._checkpoint = turns, send, checkpoint
        self._none_follows = none_follows
        self._orders: dict[str, contract.Order] = {}
        self._records: dict[str, StudyRecord] = {}
        self._has_looked_ahead, self._looked_ahead_at_s = False, -math.inf
        self._standings: dict[ReturnPlace, Standing] = {}
        self._read_at_s, self._recalls = 0.0, 0
        self._held: dict[int, ReturnPlace] = {}
        self._begun: dict[int, bool] = {}
        self._guard, self._settling = threading.Lock(), threading.Lock()
        self._answered: list[ReturnedAnswer] = []
        self._ended: list[tuple[Job, Exception | None]] = []

    def __call__(self, job: Job) -> None:
        """Send the job's report by its channel unless that has acknowledged it. Its end is told by `ended`.

        Raises:
            PeerUnavailable, PeerRefused: see `ReturnReport`.
            HandBack: its study's turn is another's, or it waited long.
        """
        order_id, _, channel = job.key.partition("/")
        try:
            report = self._report(order_id)
            place = ReturnPlace(order_id, report.study_instance_uid, channel)
            self._hold(job, place)
            self._return(job, place, report)
        except BaseException as error:
            self._forget_unsent(job, error)
            self._let_go(job)
            raise

    def next_of(self, waiting: Sequence[Job]) -> Job:
        """The first whose study's turn is free: another worker's group keeps it from nothing else."""
        self._try_to_look_ahead()
        before: set[tuple[str, str]] = set()
        for job in waiting:
            order = self._orders.get(_order_of(job))
            here = ("" if order is None else _study_of(order), job.key.partition("/")[2])
            if job.id in self._held or (here not in before and order is not None and self._take_if_free(job, here)):
                return job
            before.add(here)
        return waiting[0]

    def settle(self) -> None:
        """Write down what was answered since; durable on return. An alert does not wait for the database meanwhile."""
        self._none_follows()
        with self._settling:
            with self._guard:
                answers, self._answered = self._answered, []
            if answers:
                self._write_down(answers)

    def ended(self) -> Sequence[tuple[Job, Exception | None]]:
        """Jobs that are completed, and those whose answers could not be written down, with why; each once."""
        with self._guard:
            ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        """Give back every turn."""
        for place in self._held.values():
            self._turns.give_back((place.study_instance_uid, place.channel))
        self._held.clear()

    def _return(self, job: Job, place: ReturnPlace, report: OutgoingReport) -> None:
        standing = self._standing(place)
        if standing.returned:
            self._none_follows()
            is_last = self._store.finish_return(job)
            self._end(job, None, is_last)
            return
        if report.version == 1 and place.channel in SHOWS_THE_LAST and job.id not in self._begun:
            self._begin_first(job, place)
        answer = self._send(place.order_id, place.channel, report, standing)
        losses = tuple(map(str, answer.losses))
        with self._guard:
            self._answered.append(
                ReturnedAnswer(place.order_id, place.channel, answer.code, answer.reference, losses, job)
            )

    def _begin_first(self, job: Job, place: ReturnPlace) -> None:
        """Remember this first version and those that follow here: who calls one off is told that it may be there."""
        self._none_follows()
        with self._guard:
            held = {**self._held, job.id: place}
        first = {number: other for number, other in held.items() if number not in self._begun and self._is_first(other)}
        known = self._store.begin_first({place, *first.values()})
        self._begun |= {number: other in known for number, other in {**first, job.id: place}.items()}

    def _forget_unsent(self, job: Job, error: BaseException) -> None:
        """After a plain no, or where nothing was sent; a repeat may have arrived before."""
        with self._guard:
            place = self._held.get(job.id)
        if place is not None and isinstance(error, PeerRefused | NothingSent) and self._begun.get(job.id) is False:
            self._store.forget_begun(place.study_instance_uid, place.channel, 1)

    def _is_first(self, place: ReturnPlace) -> bool:
        order = self._orders.get(place.order_id)
        if order is None or not isinstance(order.body, contract.ReturnReport):
            return False
        return order.body.version == 1 and place.channel in SHOWS_THE_LAST

    def _write_down(self, answers: Sequence[ReturnedAnswer]) -> None:
        for answer, outcome in zip(answers, self._store.record_all(answers), strict=True):
            if answer.job is None:
                continue
            if isinstance(outcome, Exception):
                self._end(answer.job, outcome, is_last=False)
            else:
                self._checkpoint(f"return.{answer.channel}_recorded")
                self._end(answer.job, None, outcome)

    def _end(self, job: Job, failure: Exception | None, is_last: bool) -> None:
        if is_last:
            self._checkpoint("return.completed")
        self._let_go(job)
        with self._guard:
            self._ended.append((job, failure))

    def _let_go(self, job: Job) -> None:
        with self._guard:
            place = self._held.pop(job.id, None)
        if place is not None:
            self._turns.give_back((place.study_instance_uid, place.channel))

    def _hold(self, job: Job, place: ReturnPlace) -> None:
        """Whose study is another's turn waits for it, having given back all others: those who wait hold nothing."""
        if job.id in self._held:
            return
        began_s = time.monotonic()
        self.settle()
        with self._guard:
            held, self._held = self._held, {}
        for other in held.values():
            self._turns.give_back((other.study_instance_uid, other.channel))
        if not self._turns.take((place.study_instance_uid, place.channel), _WAIT_S):
            raise HandBack("another report of its study is on its way")
        with self._guard:
            self._held[job.id] = place
        self._standings.clear()
        if time.monotonic() - began_s > _SURE_S:
            raise HandBack("it waited long")

    def _standing(self, place: ReturnPlace) -> Standing:
        """As it is now, or was a moment ago while nobody else could change it."""
        age_s = time.monotonic() - self._read_at_s
        if place not in self._standings or age_s > self._store.standing_for_s or self._recalls != self._store.recalls:
            self._read_standings([place])
        return self._standings[place]

    def _read_standings(self, places: Sequence[ReturnPlace]) -> None:
        self._read_at_s, self._recalls = time.monotonic(), self._store.recalls
        self._standings = dict(self._store.standings(places))

    def _report(self, order_id: str) -> OutgoingReport:
        if not self._has_looked_ahead:
            self._look_ahead()
        order = self._orders.get(order_id) or self._store.kept_orders([order_id]).get(order_id)
        if order is None:
            raise CrashConsistency(f"order {order_id} has a job but was never kept")
        return ordered_report(order, self._record(_study_of(order)), self._own_ods)

    def _record(self, study_instance_uid: str) -> StudyRecord | None:
        is_old = time.monotonic() - self._looked_ahead_at_s > self._store.standing_for_s
        if is_old or study_instance_uid not in self._records:
            return self._catalogue.study_records([study_instance_uid]).get(study_instance_uid)
        return self._records[study_instance_uid]

    def _try_to_look_ahead(self) -> None:
        """What cannot be read now is read again for each report, whose failure it is then."""
        try:
            if not self._has_looked_ahead:
                self._look_ahead()
        except Exception as error:  # noqa: BLE001 - the reports are decided one by one
            event_log().warning("return.not_looked_ahead", exc_info=error)

    def _take_if_free(self, job: Job, here: tuple[str, str]) -> bool:
        if not self._turns.take_if_free(here):
            return False
        with self._guard:
            self._held[job.id] = ReturnPlace(_order_of(job), *here)
        self._standings.clear()
        return True

    def _look_ahead(self) -> None:
        """Take the turns that are free, and read of all what each will need, as far as it may be relied on."""
        self._has_looked_ahead = True
        self._orders = dict(self._store.kept_orders({_order_of(job) for job in self._jobs}))
        for job in self._jobs:
            if _order_of(job) in self._orders:
                self._take_if_free(job, (_study_of(self._orders[_order_of(job)]), job.key.partition("/")[2]))
        if self._store.standing_for_s:
            self._looked_ahead_at_s = time.monotonic()
            self._records = dict(self._catalogue.study_records({_study_of(order) for order in self._orders.values()}))
            self._read_standings(list(self._held.values()))


def _order_of(job: Job) -> str:
    return job.key.partition("/")[0]


def _study_of(order: contract.Order) -> str:
    return order.body.study.study_instance_uid if isinstance(order.body, contract.ReturnReport) else ""
