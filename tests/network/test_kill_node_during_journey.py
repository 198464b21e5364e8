"""kill -9 of the reading or the origin node after each step of fetching, delivering, taking and returning.

After a restart the journey ends as if nothing had happened: the same images on the workstation, one report at the RIS.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from readacross.demo.report_messages import NotAcknowledged, as_oru, send_oru
from tests.network.region import ORIGIN, READER, READING, Region, running_region
from tests.peers.hl7_oracle import report_text
from tests.synthetic.studies import MadeStudy, make_study

pytestmark = pytest.mark.peers

STEPS = [
    (READING, "fetch.kept", 2),
    (READING, "spool.synced", 2),
    (READING, "catalogue.committed", 1),
    (READING, "fetch.complete", 1),
    (READING, "deliver.acknowledged", 2),
    (READING, "deliver.recorded", 2),
    (READING, "deliver.proven", 1),
    (READING, "deliver.completed", 1),
    (READING, "report.taken", 1),
    (ORIGIN, "settle.settled", 1),
    (ORIGIN, "archive.acknowledged", 2),
    (ORIGIN, "return.ris_answered", 1),
    (ORIGIN, "return.ris_recorded", 1),
    (ORIGIN, "return.archive_answered", 1),
    (ORIGIN, "return.archive_recorded", 1),
    (ORIGIN, "return.completed", 1),
]


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    with running_region(tmp_path_factory.mktemp("region")) as running:
        yield running


@pytest.mark.parametrize(("ods", "step", "nth"), STEPS, ids=[step for _, step, _ in STEPS])
def test_the_journey_ends_as_if_nothing_had_happened(
    region: Region, tmp_path: Path, ods: str, step: str, nth: int
) -> None:
    study = make_study(tmp_path / "images", slices=4)
    dying = region.nodes[ods]
    dying.stop()
    dying.start(die_after=step, nth=nth)
    assert region.acquire(study).ok
    if ods == READING and step != "report.taken":
        restart_when_dead(region, ods)
    if step in {"settle.settled", "archive.acknowledged"}:
        restart_when_dead(region, ods)
    read = region.wait_for_images(study)
    region.call("POST", f"/reads/{read['id']}/claim", READER)
    report = as_oru(region.signed(study, f"Killed after {step}."), f"K{step}"[:20])
    send_until_acknowledged(region, report)
    if step.startswith("return."):
        restart_when_dead(region, ods)
    region.wait_for_state(study, "CLOSED")
    check_that_nothing_is_lost_or_doubled(region, study, f"Killed after {step}.")


def restart_when_dead(region: Region, ods: str) -> None:
    process = region.nodes[ods].process
    assert process is not None
    region.wait(lambda: process.exit_code == -9, f"node {ods} has killed itself")
    region.nodes[ods].start()


def send_until_acknowledged(region: Region, report: bytes) -> None:
    """As a reporting system does: the same message again until it gets its AA."""
    try:
        send_oru(report, "127.0.0.1", region.nodes[READING].hl7_port)
    except (NotAcknowledged, OSError):
        restart_when_dead(region, READING)
        send_oru(report, "127.0.0.1", region.nodes[READING].hl7_port)


def check_that_nothing_is_lost_or_doubled(region: Region, study: MadeStudy, text: str) -> None:
    received = region.workstation.digests()
    assert {uid: received.get(uid) for uid in study.digests} == study.digests
    messages = [message for message in region.ris.messages if study.accession_number.encode() in message]
    assert {report_text(message) for message in messages} == {text}
    assert len({message.split(b"|")[9] for message in messages}) == 1, "a repeat is recognisable as a repeat"
    held = region.pacs[ORIGIN].find("Series", StudyInstanceUID=study.study_instance_uid, Modality="SR")
    assert len(held) == 1
    assert region.pacs[ORIGIN].instance_count(study.study_instance_uid) == len(study.files) + 1
    steps = region.steps(study)
    for once in ("read.received", "report.received", "read.verified", "read.closed"):
        assert steps.count(once) == 1, steps
    about = [item for item in region.queue() if item["study_instance_uid"] == study.study_instance_uid]
    assert about == []
