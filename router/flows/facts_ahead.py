"""What the facts of a batch will ask the database about, so that it is read together and not fact by fact.

Nothing depends on it but speed: what is not named here is read when it is asked for.
"""

from collections.abc import Sequence

from dicom_nodes.contract import FactBody, OrderCompleted, ReportAcknowledged, ReportReceived
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
