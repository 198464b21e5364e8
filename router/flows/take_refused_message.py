"""An order or a change of a patient that a node refused: a person is asked, because its sender may never look."""

from datetime import datetime

from dicom_nodes.contract import MessageRefused
from router.flows.human_queue import About, ask_a_person
from router.flows.ports import Transaction
from router.model.record import Entry

_KINDS = {
    "hl7_order": (
        "order_refused",
        "an order",
        "urgency, clinical question and critical contact in it are not known here",
    ),
    "hl7_adt": (
        "patient_change_refused",
        "a change of a patient (ADT)",
        "reads and reports go on under the identity of before",
    ),
}
"""(the item's kind, what was refused, what it means meanwhile)."""


def take_refused_message(tx: Transaction, node: str, refused: MessageRefused, now: datetime) -> None:
    """The original is at the node, and a person must look at it and have it sent anew."""
    kind, what, meanwhile = _KINDS[refused.channel]
    detail = {"channel": refused.channel, "answer": refused.answer, "reason": refused.reason}
    detail |= {"refusal_id": refused.refusal_id, "original_sha256": refused.original_digest}
    tx.ledger.append(Entry("message.refused", now, f"node {node}", node=node, detail=detail))
    reason = (
        f"node {node} could not take {what} and answered {refused.answer}: {refused.reason}. Until its sender sends it "
        f"anew, {meanwhile}. The original is kept there: readacross refused, id {refused.refusal_id}"
    )
    ask_a_person(tx, kind, reason, f"{node}:{refused.refusal_id}", now, About(node=node))
