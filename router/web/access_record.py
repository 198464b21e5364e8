"""Who looked at patient data: a line of the ledger in the commit before it is shown, so nothing is shown unrecorded."""

from collections.abc import Collection, Iterable

from router.model.record import Entry
from router.store.tokens import Caller
from router.store.transaction import SqlTransaction
from router.web.services import Services


def record_access(
    tx: SqlTransaction,
    services: Services,
    caller: Caller,
    what: str,
    studies: Iterable[str] = (),
    report_id: str | None = None,
    node: str | None = None,
) -> None:
    """One line for each study that is shown, in that study's own trail; one where none is known."""
    for uid in tuple(dict.fromkeys(studies)) or (None,):
        seen = Entry(
            "access.shown", services.now(), caller.name, uid, report_id=report_id, node=node, detail={"what": what}
        )
        tx.ledger.append(seen)


def record_list(services: Services, caller: Caller, what: str, shown: Collection[str], **asked: object) -> None:
    """One line a list: what, how many, and what was asked for. A list without rows shows nothing.

    `shown` are ids of its rows. The very same list, looked at again by the same caller within minutes, is not written
    again: a worklist that asks every few seconds would bury the trail under itself (ADR 125).
    """
    now, filters = services.now(), {name: value for name, value in asked.items() if value not in (None, [], ())}
    if not shown or services.shown.is_known(caller.name, what, filters, shown, now):
        return
    detail = {"what": what, "count": len(shown), "asked": filters}
    with services.store.write() as tx:
        tx.ledger.append(Entry("access.shown", now, caller.name, detail=detail))
    services.shown.note(caller.name, what, filters, shown, now)
