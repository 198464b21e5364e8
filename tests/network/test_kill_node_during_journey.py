"""kill -9 of the reading and of the origin node after each step of fetching, delivering, taking and returning.

After a restart the journey ends as if nothing had happened: the same images on the workstation, one report at the RIS.
"""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pytest

from readacross.demo.report_messages import NotAcknowledged, as_oru, send_oru
from tests.network.region import ORIGIN, READER, READING, Region, running_region
from tests.peers.hl7_oracle import report_text
from tests.synthetic.studies import MadeStudy, make_study

pytestmark = pytest.mark.peers

AT_THE_READER = [
    ("fetch.kept", 2),
    ("spool.synced", 2),
    ("catalogue.committed", 1),
    ("fetch.complete", 1),
    ("deliver.acknowledged", 2),
    ("deliver.recorded", 2),
    ("deliver.proven", 1),
    ("deliver.completed", 1),
    ("report.taken", 1),
]
AT_THE_ORIGIN = [
    ("settle.settled", 1),
    ("archive.acknowledged", 2),
    ("return.ris_answered", 1),
    ("return.ris_recorded", 1),
    ("return.archive_answered", 1),
    ("return.archive_recorded", 1),
    ("return.completed", 1),
]
JOURNEYS = list(zip_longest(AT_THE_READER, AT_THE_ORIGIN))
"""(step, how often it comes to pass before the kill) at the reading and at the origin node: each journey loses both."""


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    with running_region(tmp_path_factory.mktemp("region")) as running:
        yield running


@pytest.mark.parametrize(("reading", "origin"), JOURNEYS, ids=[reading[0] for reading, _ in JOURNEYS])
def test_the_journey_ends_as_if_nothing_had_happened(
    region: Region, tmp_path: Path, reading: tuple[str, int], origin: tuple[str, int] | None
) -> None:
    study = make_study(tmp_path / "images", slices=4)
    arm(region, READING, reading)
    arm(region, ORIGIN, origin)
    assert region.acquire(study).ok
    if origin is not None and not origin[0].startswith("return."):
        restart_when_dead(region, ORIGIN)
    if reading[0] != "report.taken":
        restart_when_dead(region, READING)
    read = region.wait_for_images(study)
    region.call("POST", f"/reads/{read['id']}/claim", READER)
    text = f"Killed after {reading[0]}."
    send_until_acknowledged(region, as_oru(region.signed(study, text), f"K{reading[0]}"[:20]))
    if origin is not None and origin[0].startswith("return."):
        restart_when_dead(region, ORIGIN)
    region.wait_for_state(study, "CLOSED")
    check_that_nothing_is_lost_or_doubled(region, study, text)


def arm(region: Region, ods: str, death: tuple[str, int] | None) -> None:
    """Have a node kill itself after a step that it comes to."""
    if death is not None:
        region.nodes[ods].stop()
        region.nodes[ods].start(die_after=death[0], nth=death[1])


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
