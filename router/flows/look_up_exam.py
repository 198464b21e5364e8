"""What a study is: by its trust's code map where it has one, else by the exam table; minutes as learned, and as soon
as its order asks for.

A trust with a code map is held to it: a code that the map lacks goes to a person, whatever the table says.
"""

from dataclasses import replace
from datetime import datetime

from router.config import RoutingFile
from router.flows.ports import Transaction
from router.model.study import Study
from router.rules.order_priority import hurried
from router.rules.study_routing import NotForReading, Routed, Unmapped, by_code_map, route


def route_by_tables(
    tx: Transaction, study: Study, routing: RoutingFile, now: datetime
) -> Routed | NotForReading | Unmapped:
    """Look the study up in the code map and the exam table."""
    outcome = route(study, routing, now)
    if study.exam_code is not None and not isinstance(outcome, NotForReading) and tx.exams.has_map(study.origin):
        value, scheme, _ = study.exam_code
        outcome = by_code_map(study, tx.exams.find(study.origin, value, scheme), routing, now)
    if not isinstance(outcome, Routed):
        return outcome
    outcome = hurried(outcome, study, routing, now)
    pathways = {pathway.id for pathway in tx.exams.pathways()}
    factors = {time.exam_group: time.factor for time in tx.exams.group_times()}
    return replace(
        outcome,
        pathway=outcome.priority if outcome.priority in pathways else None,
        expected_minutes=outcome.expected_minutes * factors.get(outcome.exam_group or "", 1.0),
    )
