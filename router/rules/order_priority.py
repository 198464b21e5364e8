"""How an order hurries its read: the shortest of what it asks for, and never longer than what the exam has anyway."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from router.config import RoutingFile
from router.model.imaging_order import ImagingOrder
from router.model.study import Study
from router.rules.study_routing import Routed, due_at


def hurried(routed: Routed, study: Study, routing: RoutingFile, now: datetime) -> Routed:
    """The route with the priority that the study's order asks for, where that is a shorter one."""
    asked = [] if study.order is None else list(_asked(study.order, routing))
    shortest = min([routed.priority, *asked], key=lambda name: routing.priorities[name])
    if routing.priorities[shortest] >= routing.priorities[routed.priority]:
        return routed
    return replace(routed, priority=shortest, due_at=due_at(study, shortest, routing, now))


def unanswered_flag(order: ImagingOrder, routing: RoutingFile) -> bool:
    """Whether the order says suspected cancer and the routing file has no priority for it: a person must see to it."""
    return order.suspected_cancer and routing.suspected_cancer_priority is None


def _asked(order: ImagingOrder, routing: RoutingFile) -> Iterator[str]:
    if order.suspected_cancer and routing.suspected_cancer_priority is not None:
        yield routing.suspected_cancer_priority
    if order.urgency is not None and order.urgency in routing.urgencies:
        yield routing.urgencies[order.urgency]
    if order.pathway is not None and order.pathway in routing.priorities:
        yield order.pathway
