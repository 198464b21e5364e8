"""Who looked at patient data: a line of the ledger in the commit before it is shown, so nothing is shown unrecorded."""

from collections.abc import Iterable

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
