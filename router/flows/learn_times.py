"""Expected minutes and personal speeds follow what was measured; the planner's round does this now and then."""

from dataclasses import replace
from datetime import datetime, timedelta

from router.flows.ports import Store
from router.rules.reading_times import MEMORY_DAYS, learn_groups, learn_speeds, priors_of

LEARN_EVERY_S = 6 * 3600.0


def learn_reading_times(store: Store, exam_table: tuple[tuple[str, float], ...], now: datetime) -> int:
    """Learn from the last months, unless that was done a short while ago; how many groups were learned.

    `exam_table` are (group, minutes) of the table beside the code maps.
    """
    with store.read() as tx:
        last = max((time.learned_at for time in tx.exams.group_times()), default=None)
        if last is not None and timedelta() <= now - last < timedelta(seconds=LEARN_EVERY_S):
            return 0
        sums = tx.exams.time_sums(now - timedelta(days=MEMORY_DAYS))
    if not sums:
        return 0
    with store.write() as tx:
        groups = learn_groups(sums, priors_of([*tx.exams.groups(), *exam_table]), now)
        for time in groups.values():
            tx.exams.put_group_time(time)
        for reader_id, speeds in learn_speeds(sums, groups).items():
            reader = tx.readers.get(reader_id)
            if reader is not None and any(reader.speeds.get(group) != speed for group, speed in speeds.items()):
                tx.readers.put(replace(reader, speeds={**reader.speeds, **speeds}))
        return len(groups)
