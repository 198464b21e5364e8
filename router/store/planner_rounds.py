"""When a planner, of whichever replica, last finished a round: health is proven by traffic, not by state."""

from datetime import datetime

from sqlalchemy import Connection, select

from router.store import tables as t
from router.store.statements import upsert


def record(connection: Connection, finished_at: datetime) -> None:
    """Remember that a round just ended."""
    upsert(connection, t.planner_round, ["id"], {"id": 1, "finished_at": finished_at})


def last(connection: Connection) -> datetime | None:
    """When a round last ended; None when none ever did."""
    return connection.execute(select(t.planner_round.c.finished_at).where(t.planner_round.c.id == 1)).scalar()
