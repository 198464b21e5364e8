"""A report home by four channels of real parts: each acknowledges for itself; one that is down delays only itself."""

import json
from itertools import count
from pathlib import Path

import pytest

from dicom_nodes.contract import OrderCompleted, OrderParked, ReportAcknowledged
from dicom_nodes.fhir.outgoing_report import text_of
from tests.peers.hl7_oracle import field, report_text
from tests.peers.processes import wait_until
from tests.peers.returning_trust import ReturningTrust, running_trust
from tests.synthetic.studies import MadeStudy, make_study

pytestmark = pytest.mark.peers("dcmtk", "orthanc", "poppler")

TEXT = "Findings:\nT1 < 5 mm | mass ^ none ~ \\ & end. Łukasz, Siân: 5 € “quoted”.\n\nConclusion:\nNormal."


def acknowledged(trust: ReturningTrust, order_id: str) -> dict[str, str]:
    return {fact.channel: fact.code for fact in trust.facts(ReportAcknowledged) if fact.order_id == order_id}


def test_every_channel_has_the_report_and_one_that_was_down_gets_it_later(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=2)
    with running_trust(tmp_path / "trust", with_orthanc=True) as trust:
        trust.acquire(study)
        trust.fhir.stop()
        order_id = trust.order(study, TEXT)
        wait_until(lambda: set(acknowledged(trust, order_id)) == {"ris", "archive", "pdf"}, "the others have it")
        assert trust.facts(OrderCompleted) == []
        trust.fhir.start()
        done = trust.wait_for(OrderCompleted, order_id=order_id)
        assert done.channels == ("archive", "fhir", "pdf", "ris")
        assert acknowledged(trust, order_id) == {"ris": "AA", "archive": "0000", "pdf": "0000", "fhir": "201"}

        assert [report_text(message) for message in trust.ris.messages] == [TEXT]
        (structured,) = trust.documents(study, "SR")
        assert trust.structured_texts(study) == [TEXT]
        page = trust.printed(study)
        for words in ("FINAL", "T1 < 5 mm | mass ^ none ~ \\ & end. Łukasz, Siân: 5 € “quoted”.", "Page 1 of 1"):
            assert words in page
        assert [text_of(body) for body in trust.fhir.kept.values()] == [TEXT]

        series = {structured.SeriesInstanceUID, trust.documents(study, "DOC")[0].SeriesInstanceUID}
        assert len(series) == 2
        assert not series & {image.SeriesInstanceUID for image in trust.documents(study, "CT")}


@pytest.mark.parametrize("behaviour", ["silent", "AE"])
def test_a_ris_that_hangs_or_refuses_delays_no_other_channel(tmp_path: Path, behaviour: str) -> None:
    study = make_study(tmp_path / "images", slices=1)
    with running_trust(tmp_path / "trust") as trust:
        trust.acquire(study)
        trust.ris.behaviour = behaviour
        order_id = trust.order(study, TEXT)
        yes = {"archive": "0000", "pdf": "0000", "fhir": "201"}
        wait_until(lambda: yes.items() <= acknowledged(trust, order_id).items(), "the others have it")
        if behaviour == "AE":
            parked = trust.wait_for(OrderParked, order_id=order_id, channel="ris")
            assert "the RIS answered AE" in parked.reason
            assert acknowledged(trust, order_id) == {"ris": "AE", **yes}
        trust.ris.behaviour = "AA"
        if behaviour == "AE":
            trust.resend(order_id)
        trust.wait_for(OrderCompleted, order_id=order_id)
        assert len(trust.fhir.kept) == 1
        assert len(trust.documents(study, "DOC")) == 1


def test_what_one_channel_cannot_carry_waits_there_with_the_loss_report_and_goes_by_the_others(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=1)
    text = "لا يوجد نزيف. Nothing new 🩻."
    with running_trust(tmp_path / "trust", charset="8859/15") as trust:
        trust.acquire(study)
        order_id = trust.order(study, text)
        parked = trust.wait_for(OrderParked, order_id=order_id)
        assert (parked.channel, parked.attempts) == ("ris", 1)
        assert "8859/15 has no Arabic letters" in parked.reason
        assert "نزيف" not in parked.reason
        wait_until(lambda: set(acknowledged(trust, order_id)) == {"archive", "pdf", "fhir"}, "the others have it")
        (pdf,) = (fact for fact in trust.facts(ReportAcknowledged) if fact.channel == "pdf")
        assert pdf.losses == ("characters: symbols written in plain characters (once)",)
        assert "[x-ray]" in trust.printed(study)
        assert trust.ris.messages == []


def study_of_a_person_with_a_plain_name(folder: Path) -> MadeStudy:
    made = (make_study(folder / str(number), slices=1) for number in count())
    return next(study for study in made if study.patient.name.isascii())


def test_a_ris_that_wants_an_obx_a_line_gets_them(tmp_path: Path) -> None:
    study = study_of_a_person_with_a_plain_name(tmp_path / "images")
    habits = 'text = "obx_per_line"\nvalue_type = "TX"\nstudy_uid = ["obx", "zds"]\nplain_typography = true'
    with running_trust(tmp_path / "trust", charset="8859/1", oru=habits) as trust:
        trust.acquire(study)
        order_id = trust.order(study, "No “change”.\nT1 < 5.")
        trust.wait_for(ReportAcknowledged, order_id=order_id, channel="ris")
        (message,) = trust.ris.messages
        assert report_text(message.decode("latin-1").encode()) == 'No "change".\nT1 < 5.'
        assert field(message, "ZDS", 1).split("^")[0] == study.study_instance_uid
        (ris,) = (fact for fact in trust.facts(ReportAcknowledged) if fact.channel == "ris")
        assert ris.losses == ("characters: punctuation written in plain characters (2 times)",)


def test_an_addendum_stands_behind_its_report_in_every_channel(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=1)
    with running_trust(tmp_path / "trust") as trust:
        trust.acquire(study)
        trust.wait_for(OrderCompleted, order_id=trust.order(study, "No fracture."))
        added = trust.order(study, "Rib 7 is broken.", version=2, addendum=True, standing_text="No fracture.")
        trust.wait_for(OrderCompleted, order_id=added)
        whole = "No fracture.\n\nAddendum by Dr Ada Okafor (C9991234), 1 July 2026, 11:00 BST:\nRib 7 is broken."
        assert report_text(trust.ris.messages[-1]) == whole
        assert [json.loads(body)["status"] for body in trust.fhir.kept.values()] == ["appended"]
        assert [text_of(body) for body in trust.fhir.kept.values()] == [whole]
        assert trust.structured_texts(study) == sorted(["No fracture.", whole])
