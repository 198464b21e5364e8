"""What a past period would have asked of its readers: the plainest planner over its arrivals and its sessions.

Every quarter of an hour the reads that wait are given out, earliest due first, to the eligible reader whom most rules
prefer and who has most room left; everybody reads as long as expected. An estimate for comparing two sets of rules over
the same period, not a forecast: the simulator is for that.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from router.model.reader import Reader, ReaderOnDuty
from router.model.session import Session, SessionLoad
from router.rules.eligibility import Need, exclusions
from router.rules.routing_rules.comparing import RoutedStudy

STEP = timedelta(minutes=15)
_ROOM_MINUTES = 1_000_000.0


@dataclass(frozen=True, slots=True)
class ReaderLoad:
    reads: int
    minutes: float


@dataclass(frozen=True, slots=True)
class ExpectedLoad:
    """`late` counts, by priority, reads that end, or still wait at the end of the period, after their due time.

    `aid_minutes` is reading by one trust's readers for another: (employer, origin). `read_by` names each study's
    reader, by Study Instance UID; what nobody reads by the end, or a rule holds, is not in it.
    """

    readers: dict[str, ReaderLoad]
    late: dict[str, int]
    held: int
    unread: int
    aid_minutes: dict[tuple[str, str], float]
    read_by: dict[str, str]


@dataclass(slots=True)
class _Duty:
    """A reader's session as it fills up."""

    reader: Reader
    load: SessionLoad
    free_at: datetime


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A read that waits; `kind` numbers what it asks of a reader, so that alike reads are weighed once."""

    entry: RoutedStudy
    kind: int

    @property
    def order(self) -> tuple[datetime, str]:
        return self.entry.routed.due_at, self.entry.study.study_instance_uid


def expected_load(
    routed: Sequence[RoutedStudy], readers: Iterable[Reader], sessions: Iterable[Session], end: datetime
) -> ExpectedLoad:
    """Give the period's reads out until `end`."""
    by_id = {reader.id: reader for reader in readers}
    duties = [
        _Duty(by_id[session.reader_id], SessionLoad(session, 0, 0.0), session.starts_at)
        for session in sessions
        if session.reader_id in by_id
    ]
    needs: dict[Need, int] = {}
    planned = [entry for entry in routed if not entry.routed.directives.holds]
    coming = [_Waiting(entry, needs.setdefault(_need(entry), len(needs))) for entry in planned]
    coming.sort(key=lambda one: (one.entry.at, *one.order))
    book = _Book(duties, list(needs))
    unread = _give_out_all(coming, book, end)
    for one in unread:
        book.late[one.entry.routed.priority] += one.entry.routed.due_at <= end
    held = len(routed) - len(planned)
    return ExpectedLoad(book.loads(), dict(+book.late), held, len(unread), dict(book.aid_minutes), book.read_by)


def _give_out_all(coming: list[_Waiting], book: "_Book", end: datetime) -> list[_Waiting]:
    """Step through the period; returns what nobody has read by its end."""
    now, waiting, next_one = (coming[0].entry.at if coming else end), list[_Waiting](), 0
    while now < end and (waiting or next_one < len(coming)):
        while next_one < len(coming) and coming[next_one].entry.at <= now:
            waiting.append(coming[next_one])
            next_one += 1
        waiting.sort(key=lambda one: one.order)
        waiting = book.give_out(waiting, now)
        now += STEP
    return waiting + coming[next_one:]


class _Book:
    """Who has read how much."""

    def __init__(self, duties: list[_Duty], needs: list[Need]) -> None:
        self._duties = sorted(duties, key=lambda duty: (duty.reader.id, duty.load.session.id))
        self._needs = needs
        self._fitting: dict[tuple[int, int, datetime], bool] = {}
        self.late: Counter[str] = Counter()
        self.aid_minutes: dict[tuple[str, str], float] = defaultdict(float)
        self.read_by: dict[str, str] = {}

    def give_out(self, waiting: list[_Waiting], now: datetime) -> list[_Waiting]:
        """Give out what somebody can begin within the step; returns what still waits."""
        still, hopeless = [], set[int]()
        on_duty = {
            number: duty
            for number, duty in enumerate(self._duties)
            if duty.load.session.is_open(now) and duty.free_at < min(now + STEP, duty.load.session.ends_at)
        }
        for one in waiting:
            chosen = None
            if on_duty and one.kind not in hopeless:
                chosen = self._best(one.kind, on_duty, now)
            if chosen is None:
                hopeless.add(one.kind)
                still.append(one)
                continue
            duty = on_duty[chosen]
            self._read(one.entry, duty, now)
            if duty.free_at >= now + STEP:
                del on_duty[chosen]
        return still

    def loads(self) -> dict[str, ReaderLoad]:
        totals: dict[str, ReaderLoad] = {}
        for duty in self._duties:
            was = totals.get(duty.reader.id, ReaderLoad(0, 0.0))
            totals[duty.reader.id] = ReaderLoad(was.reads + duty.load.used_reads, was.minutes + duty.load.used_minutes)
        return totals

    def _best(self, kind: int, on_duty: dict[int, _Duty], now: datetime) -> int | None:
        need, hour = self._needs[kind], now.replace(minute=0, second=0, microsecond=0)
        best: tuple[int, float, str] | None = None
        chosen: int | None = None
        for number, duty in on_duty.items():
            left = duty.load.minutes_left(need.expected_minutes)
            if left < need.expected_minutes or not self._fits(kind, number, hour, now):
                continue
            rank = need.directives.wishes_for(duty.reader.id, duty.reader.employer), left, duty.reader.id
            if best is None or rank > best:
                best, chosen = rank, number
        return chosen

    def _fits(self, kind: int, number: int, hour: datetime, now: datetime) -> bool:
        """Whether nothing but room speaks against it; weighed once an hour for each kind of read."""
        key = (kind, number, hour)
        if key not in self._fitting:
            need = self._needs[kind]
            self._fitting[key] = not exclusions(need, _fresh(self._duties[number]), now)
        return self._fitting[key]

    def _read(self, entry: RoutedStudy, duty: _Duty, now: datetime) -> None:
        minutes = entry.routed.expected_minutes
        duty.free_at = max(now, duty.free_at) + timedelta(minutes=minutes)
        load = duty.load
        duty.load = replace(load, used_reads=load.used_reads + 1, used_minutes=load.used_minutes + minutes)
        self.read_by[entry.study.study_instance_uid] = duty.reader.id
        self.late[entry.routed.priority] += duty.free_at > entry.routed.due_at
        if duty.reader.employer != entry.study.origin:
            self.aid_minutes[(duty.reader.employer, entry.study.origin)] += minutes


def _fresh(duty: _Duty) -> ReaderOnDuty:
    """The reader with an empty session that has room for any read: so that only lasting reasons count."""
    session = replace(duty.load.session, capacity_reads=None, capacity_minutes=_ROOM_MINUTES)
    return ReaderOnDuty(duty.reader, (SessionLoad(session, 0, 0.0),))


def _need(entry: RoutedStudy) -> Need:
    routed = entry.routed
    return Need(
        read_id="",
        origin=entry.study.origin,
        modalities=frozenset(routed.modalities),
        subspecialty=routed.subspecialty,
        expected_minutes=routed.expected_minutes,
        minimum_level=routed.minimum_level,
        exam_code=routed.exam_code,
        exam_group=routed.exam_group,
        directives=routed.directives,
    )
