"""Bringing the priors that a rule selects to where the reader sits; found, none and unreachable are told apart.

Only studies that some node has told the router of can be found. A node that is silent may hold others: then nothing
found is "unreachable", never "none" (DESIGN.md promise 9).
"""

from dataclasses import dataclass
from datetime import datetime

from dicom_nodes.contract import DeliverStudy, FetchStudy, NodeAddress, OrderBody
from router.flows.images import identity_of, place_of
from router.flows.ports import IssuedOrder, Transaction
from router.model.read import Read
from router.model.reader import Reader
from router.model.record import Entry
from router.model.study import Study
from router.rules.priors import HEARD_WITHIN_S, known_now, select_priors

FOUND, NONE, UNREACHABLE = "found", "none", "unreachable"


@dataclass(frozen=True, slots=True)
class Prior:
    """One prior; `state` is ordered, at_node, delivered or unreachable, and then `reason` says why."""

    study_instance_uid: str
    origin: str
    state: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Priors:
    """What the present holder of a read has of priors; `not_heard` are trusts that may hold others."""

    rule: str
    outcome: str
    studies: tuple[Prior, ...]
    not_heard: tuple[str, ...]


def send_priors(tx: Transaction, read: Read, reader: Reader, now: datetime) -> None:
    """Order what the read's rule selects to the reader's workstation, and write down what was found."""
    said = read.directives.priors
    study = tx.studies.get(read.study_instance_uid)
    if said is None or study is None:
        return
    chosen = select_priors(study, tx.studies.of_same_person(known_now(study)), said, now)
    not_heard = sorted(n.ods_code for n in tx.network.nodes() if n.is_silent(HEARD_WITHIN_S, now))
    outcome = FOUND if chosen else UNREACHABLE if not_heard else NONE
    told = [{"study": p.study_instance_uid, "origin": p.origin, "revision": p.revision} for p in chosen]
    detail = {"rule": said.rule, "epoch": read.epoch, "studies": told, "not_heard": not_heard}
    tx.ledger.append(_entry(f"priors.{outcome}", read, now, "router", detail))
    for prior in chosen:
        _order(tx, read, reader, prior, now)


def _order(tx: Transaction, read: Read, reader: Reader, prior: Study, now: datetime) -> None:
    """To the reader's node, or, where it lies there, to the workstation at once."""
    node = place_of(tx, read, reader).node
    source = tx.network.node(prior.origin)
    if prior.origin == node:
        _deliver(tx, read, reader, prior, prior.revision, now)
    elif source is not None:
        body = FetchStudy(
            read_id=read.id,
            study=identity_of(prior),
            revision=prior.revision,
            manifest=tx.studies.manifest(prior.study_instance_uid, prior.revision),
            source=NodeAddress(ods_code=source.ods_code, ae_title=source.ae_title, host=source.host, port=source.port),
        )
        _issue(tx, read, node, body, prior, now)


def _deliver(tx: Transaction, read: Read, reader: Reader, prior: Study, revision: int, now: datetime) -> None:
    place = place_of(tx, read, reader)
    body = DeliverStudy(
        read_id=read.id,
        study=identity_of(prior),
        revision=revision,
        manifest=tx.studies.manifest(prior.study_instance_uid, revision),
        workstation_ae_title=place.ae_title,
    )
    _issue(tx, read, place.node, body, prior, now)


def _issue(tx: Transaction, read: Read, node: str, body: OrderBody, prior: Study, now: datetime) -> None:
    order = tx.orders.issue(node, body, now, read_id=read.id, epoch=read.epoch)
    detail = {"prior": prior.study_instance_uid, "revision": prior.revision}
    entry = _entry(f"order.{body.kind}", read, now, "router", detail, order.order_id, node)
    tx.ledger.append(entry)


def is_of_prior(read: Read, body: FetchStudy | DeliverStudy) -> bool:
    """Whether an order of this read brings another study than the one to be read."""
    return body.study.study_instance_uid != read.study_instance_uid


def prior_arrived(
    tx: Transaction, issued: IssuedOrder, read: Read, reader: Reader, body: FetchStudy | DeliverStudy, now: datetime
) -> None:
    """A prior lies at the reader's node, and goes on to the workstation; or it is there."""
    if isinstance(body, DeliverStudy):
        return
    prior = tx.studies.get(body.study.study_instance_uid)
    if prior is not None and place_of(tx, read, reader).node == issued.node:
        _deliver(tx, read, reader, prior, body.revision, now)


def priors_of(tx: Transaction, read: Read, now: datetime) -> Priors | None:
    """What became of the priors of the read's present lease; None where no rule asked, or nobody has had the read."""
    said = [
        entry.detail
        for entry in tx.ledger.of_study(read.study_instance_uid)
        if entry.read_id == read.id
        and entry.event in {f"priors.{outcome}" for outcome in (FOUND, NONE, UNREACHABLE)}
        and entry.detail.get("epoch") == read.epoch
    ]
    if not said:
        return None
    orders = [order for order in tx.orders.of_read(read.id) if order.epoch == read.epoch]
    studies = tuple(_prior(tx, orders, one["study"], one["origin"], now) for one in said[-1]["studies"])
    not_heard = tuple(said[-1]["not_heard"])
    nothing = UNREACHABLE if not_heard else NONE
    reached = any(prior.state != UNREACHABLE for prior in studies)
    outcome = FOUND if reached else UNREACHABLE if studies else nothing
    return Priors(said[-1]["rule"], outcome, studies, not_heard)


def _prior(tx: Transaction, orders: list[IssuedOrder], uid: str, origin: str, now: datetime) -> Prior:
    mine: dict[str, IssuedOrder] = {
        order.order.body.kind: order
        for order in orders
        if isinstance(order.order.body, FetchStudy | DeliverStudy) and order.order.body.study.study_instance_uid == uid
    }
    source = tx.network.node(origin)
    if not mine:
        return Prior(uid, origin, UNREACHABLE, f"{origin} has no node to fetch from")
    last = mine.get("deliver") or mine["fetch"]
    if last.outcome == "COMPLETED":
        return Prior(uid, origin, "delivered" if last.order.body.kind == "deliver" else "at_node")
    if last.outcome is not None:
        return Prior(uid, origin, UNREACHABLE, f"the {last.order.body.kind} at {last.node} was given up for now")
    if "deliver" not in mine and source is not None and source.is_silent(HEARD_WITHIN_S, now):
        return Prior(uid, origin, UNREACHABLE, f"nothing is heard of the node of {origin}; it comes when that is back")
    return Prior(uid, origin, "at_node" if mine.get("fetch") and "deliver" in mine else "ordered")


def _entry(
    event: str,
    read: Read,
    now: datetime,
    actor: str,
    detail: dict[str, object],
    order_id: str | None = None,
    node: str | None = None,
) -> Entry:
    return Entry(
        event=event,
        at=now,
        actor=actor,
        study_instance_uid=read.study_instance_uid,
        read_id=read.id,
        order_id=order_id,
        node=node,
        detail=detail,
    )
