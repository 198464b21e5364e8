"""A trust cancels what it ordered, or orders it again: a person hears of it, and no read ends by that (ADR 124)."""

from datetime import datetime

from router.flows.human_queue import About, ask_a_person, resolve_item
from router.flows.ports import Transaction
from router.model.imaging_order import ImagingOrder
from router.model.read import SIGNED, Read, ReadState
from router.model.record import Entry
from router.model.study import Study
from router.rules.read_states import ENDS

_KIND = "order_cancelled"


def open_reads(tx: Transaction, study_instance_uid: str) -> list[Read]:
    """The study's present first read and its second reads, as far as nobody has signed them; locked."""
    reads = [
        *tx.reads.of_study(study_instance_uid, lock=True)[-1:],
        *tx.reads.second_reads(study_instance_uid, lock=True),
    ]
    return [read for read in reads if read.state not in ENDS | SIGNED]


def ask_about_cancellation(tx: Transaction, study: Study, read: Read, key: str, now: datetime) -> None:
    """The order of a study that is here was cancelled; `key` names the message."""
    reason = f"the trust cancelled the order of a study that is here; its read is {read.state.value}"
    about = About(study_instance_uid=study.study_instance_uid, read_id=read.id, node=study.origin)
    ask_a_person(tx, _KIND, reason, f"{study.study_instance_uid}:{key}", now, about)


def ask_about_early_cancellation(tx: Transaction, study: Study, order: ImagingOrder, now: datetime) -> None:
    """A study has come whose order was cancelled: somebody was examined, so it goes on until a person says no."""
    reason = (
        f"a study came after the trust had cancelled its order ({order.told_at:%Y-%m-%d %H:%M} UTC): it goes on; "
        "ask there whether it is to be read, else cancel its read"
    )
    about = About(study_instance_uid=study.study_instance_uid, node=study.origin)
    ask_a_person(tx, _KIND, reason, f"{study.study_instance_uid}:before:{order.told_at.isoformat()}", now, about)


def tell_of_revival(tx: Transaction, study: Study, order: ImagingOrder, key: str, now: datetime) -> None:
    """The trust ordered again what it had cancelled: the question is answered, unless the read was cancelled since."""
    uid = study.study_instance_uid
    detail = {"urgency": order.urgency, "suspected_cancer": order.suspected_cancer}
    tx.ledger.append(Entry("order.revived", now, f"node {order.origin}", uid, node=order.origin, detail=dict(detail)))
    for item in tx.queue.listing(kind=_KIND, resolved=False):
        if item.study_instance_uid == uid:
            resolve_item(tx, item.id, "router", "the trust ordered it again", now)
    reads = tx.reads.of_study(uid)
    if reads and reads[-1].state is ReadState.CANCELLED:
        reason = (
            "the trust ordered it again after cancelling it, but its read was cancelled since: nobody reads the study"
        )
        about = About(study_instance_uid=uid, read_id=reads[-1].id, node=study.origin)
        ask_a_person(tx, "order_revived", reason, f"{uid}:{key}", now, about)
