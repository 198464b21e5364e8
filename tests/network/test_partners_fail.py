"""Partners that are off, refuse or say nothing: nothing is lost or doubled, and a person is told and sends again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from readacross.demo.report_messages import as_oru, send_oru
from tests.network.region import READER, READING, Region, running_region
from tests.peers.hl7_oracle import report_text
from tests.synthetic.studies import MadeStudy, make_study

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    with running_region(tmp_path_factory.mktemp("region"), attempts=4) as running:
        yield running


@pytest.fixture
def study(tmp_path: Path) -> MadeStudy:
    return make_study(tmp_path / "images", slices=3)


def report(region: Region, study: MadeStudy, text: str) -> None:
    """The reader claims the read and its system sends the report."""
    read = region.wait_for_images(study)
    region.call("POST", f"/reads/{read['id']}/claim", READER)
    send_oru(as_oru(region.signed(study, text), read["id"][:20]), "127.0.0.1", region.nodes[READING].hl7_port)


def item_about(region: Region, study: MadeStudy, words: str) -> dict[str, Any]:
    """The open item of the human queue about this study whose reason holds `words`."""

    def found() -> dict[str, Any] | None:
        about = [item for item in region.queue() if item["study_instance_uid"] == study.study_instance_uid]
        return next((item for item in about if words in item["reason"]), None)

    item: dict[str, Any] = region.wait(found, f"a person is told: {words}", study)
    return item


def messages_about(region: Region, study: MadeStudy) -> list[bytes]:
    return [message for message in region.ris.messages if study.accession_number.encode() in message]


def test_a_workstation_that_is_off_gets_its_images_when_it_is_back(region: Region, study: MadeStudy) -> None:
    region.workstation.stop()
    assert region.acquire(study).ok
    item = item_about(region, study, "HOME_WS")
    assert region.read(study)["images_delivered_at"] is None
    region.workstation.start()
    region.call("POST", f"/human-queue/{item['id']}/resend", body={"note": "workstation is on again"})
    region.wait_for_images(study)
    digests = region.workstation.digests()
    assert {uid: digests.get(uid) for uid in study.digests} == study.digests


@pytest.mark.parametrize(("code", "words"), [("AE", "content cannot be filed"), ("AR", "message type not accepted")])
def test_a_report_the_ris_refuses_is_shown_with_its_words_and_can_be_sent_again(
    region: Region, study: MadeStudy, code: str, words: str
) -> None:
    region.ris.behaviour = "AE" if code == "AE" else "AR"
    assert region.acquire(study).ok
    report(region, study, f"Refused once with {code}.")
    item = item_about(region, study, words)
    assert region.read(study)["state"] == "VERIFIED"
    region.ris.behaviour = "AA"
    region.call("POST", f"/human-queue/{item['id']}/resend", body={"note": "the RIS was mended"})
    region.wait_for_state(study, "CLOSED")
    sent = messages_about(region, study)
    assert {report_text(message) for message in sent} == {f"Refused once with {code}."}
    assert len({message.split(b"|")[9] for message in sent}) == 1, "every repeat has the same message control id"


def test_a_ris_that_says_nothing_is_tried_again_and_then_told_to_a_person(region: Region, study: MadeStudy) -> None:
    region.ris.behaviour = "silent"
    assert region.acquire(study).ok
    report(region, study, "Into the silence.")
    item = item_about(region, study, "RIS")
    assert len(messages_about(region, study)) == 4
    region.ris.behaviour = "AA"
    region.call("POST", f"/human-queue/{item['id']}/resend", body={"note": "the RIS is back"})
    region.wait_for_state(study, "CLOSED")
    acknowledged = [e["detail"]["channel"] for e in region.ledger(study) if e["event"] == "report.acknowledged"]
    assert sorted(acknowledged) == ["archive", "ris"]


def test_a_ris_that_is_back_in_time_needs_nobody(region: Region, study: MadeStudy) -> None:
    assert region.acquire(study).ok
    region.ris.stop()
    report(region, study, "Late but by itself.")
    region.wait(lambda: region.read(study)["state"] == "VERIFIED", "verified", study)
    region.ris.start()
    region.wait_for_state(study, "CLOSED")
    assert [report_text(message) for message in messages_about(region, study)] == ["Late but by itself."]


def test_without_the_router_the_node_goes_on_and_facts_arrive_once_and_in_order(
    region: Region, study: MadeStudy, tmp_path: Path
) -> None:
    other = make_study(tmp_path / "other", slices=2)
    region.kill_router()
    for sent in (study, other):
        assert region.acquire(sent).ok
        region.wait(lambda sent=sent: region.pacs["RXN"].instance_count(sent.study_instance_uid) == len(sent.files),
                    "archived without the router")  # fmt: skip
    region.start_router()
    for sent in (study, other):
        region.wait_for_images(sent)
        steps = region.steps(sent)
        assert steps.count("study.settled") == steps.count("study.archived") == steps.count("read.received") == 1
        assert len(region.reads(sent)) == 1
    assert region.workstation.digests().items() >= {**study.digests, **other.digests}.items()


def test_a_router_killed_while_a_report_travels_loses_nothing_and_sends_it_once(
    region: Region, study: MadeStudy
) -> None:
    assert region.acquire(study).ok
    report(region, study, "Sent while the router dies.")
    region.kill_router()
    region.start_router()
    region.wait_for_state(study, "CLOSED")
    assert len({message.split(b"|")[9] for message in messages_about(region, study)}) == 1
    assert region.steps(study).count("read.verified") == 1


def test_a_report_sent_while_the_router_is_away_is_acknowledged_and_returned_later(
    region: Region, study: MadeStudy
) -> None:
    assert region.acquire(study).ok
    read = region.wait_for_images(study)
    region.call("POST", f"/reads/{read['id']}/claim", READER)
    region.kill_router()
    send_oru(as_oru(region.signed(study, "Nobody to ask."), "R-away"), "127.0.0.1", region.nodes[READING].hl7_port)
    region.start_router()
    region.wait_for_state(study, "CLOSED")
    assert {report_text(message) for message in messages_about(region, study)} == {"Nobody to ask."}


def test_a_late_instance_reaches_the_reader_as_a_new_revision(region: Region, study: MadeStudy) -> None:
    late = study.files[-1]
    first = MadeStudy(
        study.study_instance_uid, study.accession_number, study.modality, study.description, study.patient,
        study.files[:-1],
    )  # fmt: skip
    assert region.acquire(first).ok
    region.wait_for_images(study)
    assert region.workstation.digests().get(late.sop_instance_uid) is None
    assert region.acquire(study).ok
    region.wait(
        lambda: region.workstation.digests().items() >= study.digests.items(), "the late instance is there", study
    )
    region.wait(lambda: region.read(study)["revision"] == 2, "the read is of revision 2", study)
