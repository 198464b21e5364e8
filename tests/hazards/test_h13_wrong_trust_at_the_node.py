"""Hazard 13: a report to the wrong trust. Control: the destination comes only from the immutable origin, and a node
stands for the one trust of its file; with swapped settings nothing leaves by any channel, and a person is told."""

from pathlib import Path

import pytest

from dicom_nodes.contract import OrderCompleted, OrderParked, ReportAcknowledged
from tests.peers.returning_trust import ReturningTrust, running_trust
from tests.synthetic.studies import MadeStudy, make_study

pytestmark = pytest.mark.peers("dcmtk")
CHANNELS = {"ris", "archive", "pdf", "fhir"}


def nothing_left(trust: ReturningTrust, study: MadeStudy) -> bool:
    """Neither the RIS, the endpoint nor the archive has anything of a report."""
    documents = trust.documents(study, "SR") + trust.documents(study, "DOC")
    return not (trust.ris.messages or trust.fhir.requests or documents or trust.facts(ReportAcknowledged))


def all_parked(trust: ReturningTrust, order_id: str) -> str:
    """Wait until every channel waits for a person; the reason."""
    reasons = {trust.wait_for(OrderParked, order_id=order_id, channel=channel).reason for channel in CHANNELS}
    (reason,) = reasons
    return reason


def test_a_node_with_another_trusts_token_returns_nothing_to_its_own_partners(tmp_path: Path) -> None:
    """RXL's node was given RXN's token, and so gets RXN's reports: it has the same study, even."""
    study = make_study(tmp_path / "images", slices=1)
    with running_trust(tmp_path / "trust", ods_code="RXL") as trust:
        trust.acquire(study)
        order_id = trust.order(study, "A report for RXN.")
        assert all_parked(trust, order_id) == "the report is for RXN, this node stands for RXL"
        assert nothing_left(trust, study)
        assert trust.facts(OrderCompleted) == []


def test_a_report_under_another_patients_numbers_returns_to_nobody(tmp_path: Path) -> None:
    study, other = (make_study(tmp_path / name, slices=1) for name in ("images", "other"))
    with running_trust(tmp_path / "trust") as trust:
        trust.acquire(study)
        identity = trust.identity(study)
        swapped = identity.model_copy(update={"patient": trust.identity(other).patient})
        order_id = trust.order(study, "A report of somebody else.", study=swapped)
        reason = all_parked(trust, order_id)
        assert reason.startswith("the report's patient id, NHS number")
        assert other.patient.nhs_number not in reason
        assert nothing_left(trust, study)
