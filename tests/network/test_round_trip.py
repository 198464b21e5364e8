"""The whole journey on real parts: two Orthancs, DCMTK, an MLLP receiver, the router on SQLite and on PostgreSQL.

Pixel bytes are compared at every stop, the report's text at the RIS and in the PACS.
"""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from readacross.demo.report_messages import as_oru, as_structured_report, send_oru
from tests.network.region import ORIGIN, READER, READING, Region, running_region
from tests.peers import dcmtk
from tests.peers.dcmtk import Target
from tests.peers.hl7_oracle import report_text
from tests.peers.processes import wait_until
from tests.synthetic.studies import MadeStudy, make_study, pixel_digest

pytestmark = pytest.mark.peers

TEXT = "No acute bleed | mass < 3 mm ^ see priors & notes ~ \\ end.\nŁukasz, Siân: 5 € “quoted”.\n\nConclusion: normal."

JOURNEY = [
    "study.settled",
    "read.received",
    "read.ready",
    "read.assigned",
    "order.fetch",
    "images.fetched",
    "order.deliver",
    "images.delivered",
    "read.claimed",
    "report.received",
    "read.verified",
    "order.return",
    "report.acknowledged",
    "read.delivered",
    "report.acknowledged",
    "report.filed",
    "read.closed",
]


def archived_report_texts(region: Region, study: MadeStudy) -> list[str]:
    """Text values of the SR documents of the study in the origin's PACS."""
    found = region.pacs[ORIGIN].find("Instance", StudyInstanceUID=study.study_instance_uid)
    files = [region.pacs[ORIGIN].file(item["MainDicomTags"]["SOPInstanceUID"]) for item in found]
    documents = [document for document in (dcmread(io.BytesIO(file)) for file in files) if document.Modality == "SR"]
    return ["\n".join(text_items(document)) for document in documents]


def text_items(item: Dataset) -> list[str]:
    """The values of all TEXT content items under `item`, in document order."""
    own = [str(item.TextValue)] if item.get("ValueType") == "TEXT" else []
    return own + [text for child in item.get("ContentSequence", []) for text in text_items(child)]


@pytest.mark.parametrize("channel", ["oru", "sr"])
def test_a_study_goes_round(tmp_path: Path, database_url: str, channel: str) -> None:
    study = make_study(tmp_path / "images", slices=8)
    pixels = {file.sop_instance_uid: pixel_digest(file.path) for file in study.files}
    with running_region(tmp_path / "region", database_url) as region:
        assert region.acquire(study).ok
        read = region.wait_for_images(study)
        assert (read["origin"], read["lease"]["reader_id"]) == (ORIGIN, READER)
        origin_pacs = region.pacs[ORIGIN]
        wait_until(lambda: origin_pacs.instance_count() == len(pixels), "the origin's own archive has it, too")
        assert {uid: origin_pacs.pixel_digest(uid) for uid in pixels} == pixels
        assert region.workstation.digests() == study.digests
        assert region.workstation.pixel_digests() == pixels
        assert region.pacs[READING].instance_count() == 0, "images of another trust never enter this trust's PACS"

        region.call("POST", f"/reads/{read['id']}/claim", READER)
        signed = region.signed(study, TEXT)
        if channel == "oru":
            send_oru(as_oru(signed, "R1"), "127.0.0.1", region.nodes[READING].hl7_port)
        else:
            file = tmp_path / "report.dcm"
            file.write_bytes(as_structured_report(signed))
            target = Target(f"{READING}_NODE", region.nodes[READING].dicom_port, "HOME_WS")
            assert dcmtk.send([file], target).ok
        region.wait_for_state(study, "CLOSED")

        assert [report_text(message) for message in region.ris.messages] == [TEXT]
        assert archived_report_texts(region, study) == [TEXT]
        region.wait(lambda: "study.archived" in region.steps(study), "the archive's acknowledgement in the ledger")
        steps = [step for step in region.steps(study) if step != "study.archived"]
        home = JOURNEY.index("order.return") + 1
        assert steps[:home] == JOURNEY[:home]
        assert sorted(steps[home:-2]) == sorted(JOURNEY[home:-2]), "each channel goes at its own pace"
        assert steps[-2:] == JOURNEY[-2:]
        assert region.queue() == []


def test_the_journey_can_be_traced_from_the_command_line(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=2)
    with running_region(tmp_path / "region") as region:
        assert region.acquire(study).ok
        region.wait_for_images(study)
        token = tmp_path / "admin.token"
        token.write_text(region.tokens["admin"])
        command = [Path(sys.executable).with_name("readacross"), "trace", study.accession_number]
        command += ["--router", region.url, "--token-file", token]
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stderr
    for step in ("study.settled", "read.assigned", "images.delivered"):
        assert step in said.stdout
