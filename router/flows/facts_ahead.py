"""What the facts of a batch will ask for, known before they are taken.

Nothing depends on it but speed: what is not named here is read when it is asked for, and planned at the next round.
"""

from collections.abc import Sequence

from dicom_nodes.contract import Fact, FactBody, OrderCompleted, ReportAcknowledged, ReportReceived
from router.flows.delivery_answers import UNACKNOWLEDGED
from router.flows.human_queue import dedupe_key
from router.flows.ports import Named


def named_by(bodies: Sequence[FactBody | None]) -> Named:
    """What reports and answers to their returns name; the other kinds are seldom many at once."""
    reports = [body for body in bodies if isinstance(body, ReportReceived)]
    answers = [body for body in bodies if isinstance(body, ReportAcknowledged | OrderCompleted)]
    return Named(
        studies=tuple(report.study_instance_uid for report in reports if report.study_instance_uid),
        accessions=tuple(
            (report.accession_number, report.accession_issuer)
            for report in reports
            if report.accession_number and report.accession_issuer
        ),
        new_reports=tuple(report.report_id for report in reports),
        orders=tuple(answer.order_id for answer in answers),
        items=tuple(
            dedupe_key(UNACKNOWLEDGED, answer.order_id) for answer in answers if isinstance(answer, OrderCompleted)
        ),
    )


def concerns_planning(facts: Sequence[Fact | dict[str, object]]) -> bool:
    """Whether a plan may come out otherwise: no answer to a report's return gives or takes a reader's time."""
    return not all(isinstance(fact, Fact) and _is_of_return(fact.body) for fact in facts)


def _is_of_return(body: FactBody) -> bool:
    return isinstance(body, ReportAcknowledged) or (isinstance(body, OrderCompleted) and bool(body.channels))
