"""A trust that reports come home to, of real parts: its node, RIS, FHIR endpoint and PACS; the test is its router."""

import io
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydicom import Dataset, dcmread

from dicom_nodes.app import NodeApp
from dicom_nodes.contract import (
    ExamCode,
    FactBody,
    Order,
    OrderBatch,
    OrderBody,
    PatientIdentity,
    ReportAuthor,
    ResendJob,
    ReturnReport,
    StudyIdentity,
    StudySettled,
)
from dicom_nodes.documents.structured_report import StructuredReports
from dicom_nodes.encoding.part10 import data_set_of
from dicom_nodes.encoding.walk import EXPLICIT_VR_LITTLE_ENDIAN
from readacross.demo.images import MadeStudy
from tests.peers import dcmtk
from tests.peers.fhir_server import FhirServer
from tests.peers.node import MODALITY, facts_of, running_node, target_of, write_trust_file
from tests.peers.orthanc import Orthanc, running_orthanc
from tests.peers.processes import wait_until
from tests.peers.ris import MllpRis

ALL_CHANNELS = ("ris", "archive_sr", "archive_pdf", "fhir")
TOKEN = "fhir-secret"
NOW = datetime(2026, 7, 1, 10, 0, tzinfo=UTC)
FactT = TypeVar("FactT")


@dataclass
class ReturningTrust:
    """What is at the trust; `pacs` is None where its archive is a folder."""

    folder: Path
    app: NodeApp
    ris: MllpRis
    fhir: FhirServer
    pacs: Orthanc | None
    ods_code: str = "RXN"
    _orders: int = field(default=0)

    def acquire(self, study: MadeStudy) -> None:
        """The modality sends the study; it has settled on return."""
        before = len(self.facts(StudySettled))
        assert dcmtk.send([file.path for file in study.files], target_of(self.app, ods_code=self.ods_code)).ok
        wait_until(lambda: len(self.facts(StudySettled)) > before, "the study settled")

    def identity(self, study: MadeStudy) -> StudyIdentity:
        """The study as the router knows it: made by RXN."""
        patient = study.patient
        return StudyIdentity(
            study_instance_uid=study.study_instance_uid,
            origin="RXN",
            accession_number=study.accession_number,
            accession_issuer="RXN",
            patient=PatientIdentity(
                issuer="RXN",
                patient_id=patient.patient_id,
                nhs_number=patient.nhs_number,
                birth_date=patient.birth_date,
            ),
        )

    def order(self, study: MadeStudy, text: str, /, **changes: Any) -> str:
        """The router orders a report of the study home; the order's id."""
        body = ReturnReport(
            read_id="read-1",
            report_id=f"3f0e5a52-1111-4222-8333-{self._orders:012}",
            version=1,
            study=self.identity(study),
            status="F",
            text=text,
            author=ReportAuthor(registration="C9991234", name="Okafor^Ada^^Dr"),
            authored_at=NOW,
            verified_at=NOW,
            exam_code=ExamCode(value="CSKUH", scheme="NICIP", meaning="CT Head"),
        )
        return self._issue(body.model_copy(update=changes))

    def resend(self, order_id: str) -> None:
        """A person wants the order tried again."""
        self._issue(ResendJob(job_kind="return", job_key=order_id))

    def _issue(self, body: OrderBody) -> str:
        self._orders += 1
        order_id = f"order-{self._orders}"
        order = Order(seq=self._orders, order_id=order_id, issued_at=NOW, body=body)
        self.app.store.orders.accept(OrderBatch(log_id="log", orders=(order,)))
        return order_id

    def facts(self, kind: type[FactT]) -> list[FactT]:
        """What the node said of this kind so far."""
        found: list[FactBody] = facts_of(self.app)
        return [fact for fact in found if isinstance(fact, kind)]

    def wait_for(self, kind: type[FactT], **values: object) -> FactT:
        """The fact of this kind with these values, once it is there."""

        def said() -> FactT | None:
            return next(
                (fact for fact in self.facts(kind) if all(getattr(fact, key) == values[key] for key in values)), None
            )

        found = wait_until(said, f"{kind.__name__} with {values}")
        assert found is not None
        return found

    def documents(self, study: MadeStudy, modality: str) -> list[Dataset]:
        """What the PACS has of the study: `SR` for structured reports, `DOC` for pages, or images."""
        data_sets = [dcmread(io.BytesIO(file)) for file in self._files(study)]
        return [data_set for data_set in data_sets if data_set.Modality == modality]

    def structured_texts(self, study: MadeStudy) -> list[str]:
        """The texts of its structured reports, sorted."""
        files = [file for file in self._files(study) if dcmread(io.BytesIO(file)).Modality == "SR"]
        return sorted(StructuredReports().read(data_set_of(file), EXPLICIT_VR_LITTLE_ENDIAN).text for file in files)

    def printed(self, study: MadeStudy) -> str:
        """What another reader finds on the pages of its one document."""
        (document,) = self.documents(study, "DOC")
        pdf = document.EncapsulatedDocument[: document.EncapsulatedDocumentLength]
        done = subprocess.run(
            ["pdftotext", "-layout", "-", "-"], input=pdf, capture_output=True, timeout=30, check=True
        )
        return done.stdout.decode()

    def _files(self, study: MadeStudy) -> list[bytes]:
        if self.pacs is not None:
            found = self.pacs.find("Instance", StudyInstanceUID=study.study_instance_uid)
            return [self.pacs.file(item["MainDicomTags"]["SOPInstanceUID"]) for item in found]
        kept = (self.folder / "archive" / study.study_instance_uid).glob("*/*.dcm")
        return [file.read_bytes() for file in kept]


@contextmanager
def running_trust(
    folder: Path, *, with_orthanc: bool = False, ods_code: str = "RXN", charset: str = "UNICODE UTF-8", oru: str = ""
) -> Iterator[ReturningTrust]:
    """Run a trust that wants reports by all four channels; `oru` are lines for `[reports.oru]`."""
    with ExitStack() as stack:
        ris = stack.enter_context(MllpRis())
        fhir = stack.enter_context(FhirServer(token=TOKEN))
        pacs = stack.enter_context(running_orthanc(f"{ods_code}_PACS")) if with_orthanc else None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "fhir.token").write_text(TOKEN + "\n")
        tables = f"""
[ris]
address = "{ris.address}"
charset = "{charset}"
timeout_s = 1.0
[reports]
channels = {list(ALL_CHANNELS)!r}
[reports.oru]
{oru}
[reports.fhir]
url = "{fhir.url}"
token_file = "fhir.token"
timeout_s = 2.0
"""
        archive = f'kind = "dimse"\nae_title = "{pacs.ae_title}"\naddress = "{pacs.dicom_address}"' if pacs else None
        file = write_trust_file(
            folder, ods_code=ods_code, archive=archive, settle_quiet_s=0.2, attempts=40, peers=(tables, MODALITY)
        )
        app = stack.enter_context(running_node(file))
        yield ReturningTrust(folder, app, ris, fhir, pacs, ods_code)
