"""Hazard 15: names corrupted. Control: every character set is mapped by name, and nothing is replaced silently: a name
goes home by each channel as the images have it, or waits where it cannot be written."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_nodes.contract import OrderCompleted, OrderParked, ReportAuthor
from tests.peers.hl7_oracle import field
from tests.peers.returning_trust import running_trust
from tests.synthetic.studies import MadeStudy, make_study, rewritten

pytestmark = pytest.mark.peers("dcmtk", "poppler")
AUTHOR = ReportAuthor(registration="C9991234", name="Wójcik^Siân^^Dr")


def study_of(folder: Path, name: str, character_set: str) -> MadeStudy:
    study = make_study(folder, slices=1)
    named = [
        rewritten(file, folder / "named", SpecificCharacterSet=character_set, PatientName=name) for file in study.files
    ]
    return replace(study, files=tuple(named))


@pytest.mark.parametrize(
    ("name", "character_set", "printed"),
    [
        ("O'Brien^Siân^Łukasz", "ISO_IR 192", "O'BRIEN, Siân Łukasz"),
        ("O'Brien^Siân", "ISO_IR 100", "O'BRIEN, Siân"),
        ("Zielińska^Łucja", "ISO_IR 101", "ZIELIŃSKA, Łucja"),
    ],
)
def test_a_name_goes_home_by_every_channel_as_the_images_have_it(
    tmp_path: Path, name: str, character_set: str, printed: str
) -> None:
    study = study_of(tmp_path / "images", name, character_set)
    family, given, *middle = name.split("^")
    with running_trust(tmp_path / "trust") as trust:
        trust.acquire(study)
        trust.wait_for(OrderCompleted, order_id=trust.order(study, "Normal.", author=AUTHOR))
        (message,) = trust.ris.messages
        assert field(message, "PID", 5) == name
        assert field(message, "OBR", 32) == "C9991234&Wójcik&Siân&&&Dr"
        (structured,) = trust.documents(study, "SR")
        assert str(structured.PatientName) == name
        assert str(structured.VerifyingObserverSequence[0].VerifyingObserverName) == "Wójcik^Siân^^Dr"
        page = trust.printed(study)
        assert printed in page
        assert "Dr Siân Wójcik (GMC 9991234)" in page
        (body,) = trust.fhir.kept.values()
        people = {one["resourceType"]: one for one in json.loads(body)["contained"]}
        assert people["Patient"]["name"][0]["family"] == family
        assert people["Patient"]["name"][0]["given"] == [given, *middle]
        assert people["Practitioner"]["name"][0]["text"] == "Dr Siân Wójcik"


def test_a_name_that_a_ris_cannot_write_is_never_sent_to_it_in_other_letters(tmp_path: Path) -> None:
    study = study_of(tmp_path / "images", "Zielińska^Łucja", "ISO_IR 101")
    with running_trust(tmp_path / "trust", charset="8859/1", oru="plain_typography = true") as trust:
        trust.acquire(study)
        order_id = trust.order(study, "Normal.")
        parked = trust.wait_for(OrderParked, order_id=order_id)
        assert parked.channel == "ris"
        assert "8859/1 has no Latin letters" in parked.reason
        assert trust.ris.messages == []
