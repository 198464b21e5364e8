"""The whole way home by four channels: RIS, PACS with report and pages, FHIR endpoint; one that is down delays itself.

The read closes only when every channel that the network's file lets close it has acknowledged.
"""

import io
from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_nodes.fhir.outgoing_report import text_of
from readacross.demo.report_messages import as_oru, send_oru
from tests.network.region import ORIGIN, READER, READING, Region, running_region
from tests.peers.fhir_server import FhirServer
from tests.peers.hl7_oracle import report_text
from tests.synthetic.studies import MadeStudy, make_study

pytestmark = pytest.mark.peers
CHANNELS = ["ris", "archive", "pdf", "fhir"]
TEXT = "No acute bleed | mass < 3 mm ^ see priors & notes ~ \\ end.\nŁukasz, Siân: 5 € “quoted”.\n\nConclusion: normal."


def acknowledged(region: Region, study: MadeStudy) -> list[str]:
    entries = [entry for entry in region.ledger(study) if entry["event"] == "report.acknowledged"]
    return sorted(entry["detail"]["channel"] for entry in entries)


def test_a_report_comes_home_by_every_channel_and_closes_when_the_last_has_it(tmp_path: Path) -> None:
    study = make_study(tmp_path / "images", slices=2)
    with FhirServer(token="secret") as fhir:
        (tmp_path / "region" / ORIGIN).mkdir(parents=True)
        (tmp_path / "region" / ORIGIN / "fhir.token").write_text("secret")
        reports = '[reports]\nchannels = ["ris", "archive_sr", "archive_pdf", "fhir"]\n'
        reports += f'[reports.fhir]\nurl = "{fhir.url}"\ntoken_file = "fhir.token"\n'
        returns = f"channels = {CHANNELS!r}\nclosed_by = {CHANNELS!r}"
        fhir.stop()
        with running_region(tmp_path / "region", returns=returns, reports=reports) as region:
            assert region.acquire(study).ok
            read = region.wait_for_images(study)
            region.call("POST", f"/reads/{read['id']}/claim", READER)
            send_oru(as_oru(region.signed(study, TEXT), "R1"), "127.0.0.1", region.nodes[READING].hl7_port)
            three = ["archive", "pdf", "ris"]
            region.wait(lambda: acknowledged(region, study) == three, "the three that are up have it", study)
            assert region.read(study)["state"] != "CLOSED"
            fhir.start()
            region.wait_for_state(study, "CLOSED")

            assert acknowledged(region, study) == sorted(CHANNELS)
            assert [report_text(message) for message in region.ris.messages] == [TEXT]
            assert [text_of(body) for body in fhir.kept.values()] == [TEXT]
            found = region.pacs[ORIGIN].find("Instance", StudyInstanceUID=study.study_instance_uid)
            files = [region.pacs[ORIGIN].file(item["MainDicomTags"]["SOPInstanceUID"]) for item in found]
            assert sorted(dcmread(io.BytesIO(file)).Modality for file in files) == ["CT", "CT", "DOC", "SR"]
            assert region.queue() == []
