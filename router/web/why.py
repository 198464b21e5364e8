"""All that is told of a read: what became of it at routing, whom it waits for, and every reader it was given to."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from router.model.read import Assignment, Read, ReadState
from router.rules.planning.storing import in_full
from router.rules.planning.telling import tell_asked, tell_choice, tell_end, tell_rules, tell_waiting
from router.store.transaction import SqlTransaction
from router.web.messages import AssignmentView, WhyView
from router.web.open_alerts import open_alerts

_UNROUTED = "It is given to nobody yet: which exam it is, is not settled."
_UNPLANNED = "Nobody has it yet: the planner has not looked at it since it became ready."


def why_view(tx: SqlTransaction, read: Read, now: datetime) -> WhyView:
    """In the words of the rules; what is stored is shown beside."""
    given, waiting = tx.reads.assignments(read.id), None if read.waiting is None else in_full(read.waiting)
    return WhyView(
        read_id=read.id,
        second_of=read.second_of,
        state=read.state,
        sentences=list(_of_the_read(tx, read)),
        waiting=waiting,
        waiting_sentences=[] if waiting is None else list(tell_waiting(waiting)),
        open_alerts=open_alerts(tx, read.study_instance_uid, now),
        assignments=[_assignment(one, given[:place]) for place, one in enumerate(given)],
    )


def _of_the_read(tx: SqlTransaction, read: Read) -> Iterator[str]:
    said = read.directives
    yield from tell_rules(said.rule_set, said.rules)
    if read.state is ReadState.RECEIVED:
        yield _UNROUTED
    if read.state is ReadState.READY and read.waiting is None:
        yield _UNPLANNED
    for item in tx.queue.open_of_read(read.id):
        yield tell_asked(item.kind, item.reason, item.opened_at)


def _assignment(given: Assignment, before: Sequence[Assignment]) -> AssignmentView:
    explanation, told = in_full(given.explanation), {one.explanation.get("version") for one in before}
    return AssignmentView(
        epoch=given.epoch,
        reader_id=given.reader_id,
        session_id=given.session_id,
        assigned_at=given.assigned_at,
        ended_at=given.ended_at,
        outcome=given.outcome,
        reason=given.reason,
        explanation=explanation,
        sentences=[
            *tell_choice(explanation, given.reader_id, told),
            *tell_end(given.outcome, given.reason, given.reader_id),
        ],
    )
