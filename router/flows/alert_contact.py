"""Whom the order asks to tell: for the person who telephones. Free text of the trust's own; no machine dials it."""

from router.flows.ports import Transaction
from router.model.alert import Alert


def contact_of(tx: Transaction, alert: Alert) -> str | None:
    """The order's critical contact, or else its referrer; None where none is known, or the report is not matched."""
    if alert.held_because is not None or alert.accession_issuer is None or alert.accession_number is None:
        return None
    order = tx.imaging_orders.get(alert.accession_issuer, alert.accession_number)
    if order is None or order.origin != alert.trust:
        return None
    referrer = ", ".join(part for part in (order.referrer_name, order.referrer_contact) if part)
    return order.critical_contact or referrer or None
