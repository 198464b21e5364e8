"""Hazard 10, at the origin's node: a RIS that took a correction and was cut off gets no older report after it.

Control: a version that may be there keeps older ones back until it is answered. Its repeat would change nothing at a
RIS that tells repeats by MSH-10, so the older report would stand.
"""

from pathlib import Path

import pytest

from dicom_nodes.contract import OrderCompleted, OrderParked
from dicom_nodes.foundation.jobs import JobState
from tests.peers.hl7_oracle import report_text
from tests.peers.processes import wait_until
from tests.peers.returning_trust import ReturningTrust, running_trust
from tests.synthetic.studies import make_study

pytestmark = pytest.mark.peers("dcmtk")


def test_no_older_report_follows_a_correction_whose_answer_was_lost(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=1)
    with running_trust(tmp_path / "trust") as trust:
        trust.acquire(study)
        trust.ris.stop()
        final = trust.order(study, "Nothing.", channels=("ris",))
        wait_until(lambda: reason(trust, final), "the final report waits for its next turn")
        corrected = trust.order(study, "A lump.", version=2, status="C", channels=("ris",), report_id="report-2")
        trust.ris.behaviour = "hang up"
        trust.ris.start()
        wait_until(lambda: texts(trust.ris.messages).count("A lump.") > 2, "the RIS has it and is cut off each time")
        since = texts(trust.ris.messages).index("A lump.")
        trust.ris.behaviour = "AA"
        trust.wait_for(OrderCompleted, order_id=corrected)
        parked = trust.wait_for(OrderParked, order_id=final)
        assert "a newer version (2) was already filed" in parked.reason
        assert set(texts(trust.ris.messages)[since:]) == {"A lump."}


def reason(trust: ReturningTrust, order_id: str) -> str | None:
    jobs = trust.app.store.jobs.listing([JobState.QUEUED])
    return next((job.reason for job in jobs if job.key == f"{order_id}/ris"), None)


def texts(messages: list[bytes]) -> list[str]:
    return [report_text(message) for message in messages]
