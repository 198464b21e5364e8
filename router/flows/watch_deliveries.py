"""Reports that their trust has been owed for too long: somebody takes the telephone (ADR 112)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from router.flows.human_queue import About, ask_again
from router.flows.ports import Store, Transaction
from router.model.delivery import OWED, ListedDelivery

_REPORTS_A_COMMIT = 100
_WORDS = {"P": "preliminary report", "C": "correction", "X": "cancellation"}


def watch_deliveries(store: Store, now: datetime) -> int:
    """Put every version that is overdue at its trust on the phone list, once; how many. Needs the planner lock."""
    late: dict[str, list[ListedDelivery]] = {}
    waits: dict[str, float] = {}
    with store.read() as tx:
        for trust in tx.network.trusts():
            waits[trust.ods_code] = trust.returns.phone_after_s
            since = now - timedelta(seconds=trust.returns.phone_after_s)
            for one in tx.deliveries.overdue(OWED, trust.ods_code, since):
                late.setdefault(one.delivery.report_id, []).append(one)
    versions = list(late.values())
    for start in range(0, len(versions), _REPORTS_A_COMMIT):
        with store.write() as tx:
            for deliveries in versions[start : start + _REPORTS_A_COMMIT]:
                _put_on_the_phone_list(tx, deliveries, waits[deliveries[0].trust], now)
    return len(versions)


def _put_on_the_phone_list(tx: Transaction, late: Sequence[ListedDelivery], wait_s: float, now: datetime) -> None:
    first = late[0]
    since = min(one.delivery.queued_at or one.delivery.updated_at for one in late)
    what = "addendum" if first.addendum else _WORDS.get(first.status, "report")
    where = ", ".join(f"{one.delivery.channel} {one.delivery.state.value}" for one in late)
    reason = (
        f"{first.trust} is owed a {what} (version {first.version}) since {since:%Y-%m-%d %H:%M} UTC: ring up ({where})"
    )
    about = About(
        study_instance_uid=first.study_instance_uid,
        read_id=first.read_id,
        report_id=first.delivery.report_id,
        order_id=first.delivery.order_id,
        node=first.trust,
    )
    ask_again(tx, "phone_list", reason, first.delivery.report_id, now, about, wait_s)
