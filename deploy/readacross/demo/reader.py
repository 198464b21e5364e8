"""The demonstration's reader: watches the API for reads, waits for their images, claims, looks, reports."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO

from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian

from dicom_nodes.model.delivery import ApplicationEntity
from readacross.demo.images import ImageFile, MadeStudy, digest_of_file
from readacross.demo.modality import SendFailed, send
from readacross.demo.region import ORIGIN, READER_NAME, REGISTRATION, WORKSTATION, Region
from readacross.demo.report_messages import (
    BASIC_TEXT_SR,
    NotAcknowledged,
    Signed,
    as_oru,
    as_structured_report,
    send_oru,
)
from readacross.demo.workstation import Workstation
from readacross.refusals import RouterSaidNo
from readacross.router_client import RouterClient
from router.web.messages import ReadView

_LOOK_EVERY_S = 0.4

_FINDINGS = {
    "CT": "CT head without contrast.\n\nNo haemorrhage or mass. Grey & white matter differ as they should; GCS 15 > 8.",
    "MR": "MRI head. T1 | T2 ^ FLAIR ~ DWI.\n\nNormal for age; ADC < 0.8 nowhere. Path C:\\scans\\1 was not needed.",
    "CR": "Chest, PA. Heart size normal (CTR < 50 %). Lungs clear; no effusion.",
}


@dataclass
class Desk:
    """What the reader knows: the studies of the demonstration, and what was written about each."""

    studies: dict[str, MadeStudy] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    by_sr: set[str] = field(default_factory=set)
    """Study Instance UIDs to be reported by SR rather than ORU^R01."""


class Reader:
    """A thread that reads whatever is assigned to it. `trouble` gets a sentence where something is refused."""

    def __init__(
        self, region: Region, node: ApplicationEntity, hl7_port: int, token: str, workstation: Workstation, desk: Desk,
        trouble: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._region, self._node, self._hl7_port = region, node, hl7_port
        self._client = RouterClient(region.router_url, token)
        self._workstation, self._desk, self._trouble = workstation, desk, trouble
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with self._client:
            while not self._ended.wait(_LOOK_EVERY_S):
                try:
                    self._look()
                except (RouterSaidNo, NotAcknowledged, SendFailed, OSError) as error:
                    self._trouble(f"reader: {error}")

    def _look(self) -> None:
        for read in self._client.reads("ASSIGNED"):
            study = self._desk.studies.get(read.study_instance_uid)
            if study is not None and read.images_delivered_at is not None:
                self._client.claim(read.id)
                self._report(read, study)

    def _report(self, read: ReadView, study: MadeStudy) -> None:
        signed = Signed(study, ORIGIN, self._words(study), REGISTRATION, READER_NAME, datetime.now(UTC))
        self._desk.written[study.study_instance_uid] = signed.text
        if study.study_instance_uid in self._desk.by_sr:
            self._send_document(as_structured_report(signed), study)
        else:
            send_oru(as_oru(signed, read.id.replace("-", "")[:20]), self._node.host, self._hl7_port)

    def _words(self, study: MadeStudy) -> str:
        """A text that says how many images were seen, and holds every character HL7 must escape."""
        held = self._workstation.digests()
        seen = sum(uid in held for uid in study.digests)
        findings = _FINDINGS[study.modality]
        return f"{findings}\n\n{seen} images seen at home. Discussed with Łukasz O'Brien-Siân.\nEnd of report."

    def _send_document(self, part10: bytes, study: MadeStudy) -> None:
        path = self._region.folder / f"report-{study.study_instance_uid}.dcm"
        path.write_bytes(part10)
        uid = str(dcmread(BytesIO(part10)).SOPInstanceUID)
        document = ImageFile(path, BASIC_TEXT_SR, uid, ExplicitVRLittleEndian, digest_of_file(path))
        send([document], WORKSTATION, self._node)
