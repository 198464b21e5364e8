"""When a read is signed: who owes whom for it, and how long it took. Both once for each read."""

import math
from datetime import datetime

from router.flows.ports import Transaction
from router.model.aid import AidEntry
from router.model.exam import ReadingTime
from router.model.read import Read
from router.model.reader import Reader
from router.rules.reading_times import minutes_in_hand


def account_for_read(tx: Transaction, read: Read, reader: Reader, now: datetime) -> None:
    """Write the aid account's line of a read across trusts, and the reading time of a read whose group is known.

    The account counts the group's expected minutes, not the minutes it took: a slow reader costs the origin no more.
    """
    if reader.employer != read.origin:
        acute = {pathway.id for pathway in tx.exams.pathways() if pathway.acute}
        tx.aid.add(
            AidEntry(
                read_id=read.id,
                at=now,
                employer=reader.employer,
                origin=read.origin,
                reader_id=reader.id,
                exam_group=read.exam_group,
                minutes=read.expected_minutes or 0.0,
                acute=read.pathway in acute,
            )
        )
    if read.exam_group is None or read.second_of is not None:
        return  # who reads with the first report at hand takes another time
    minutes = minutes_in_hand(tx.ledger.of_study(read.study_instance_uid), read.id)
    if minutes is not None:
        tx.exams.add_time(ReadingTime(read.id, reader.id, read.exam_group, math.log(minutes), now))
