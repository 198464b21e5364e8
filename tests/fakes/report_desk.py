"""A node's report desk with everything in memory."""

from dataclasses import replace
from datetime import UTC, date, datetime

from dicom_nodes import contract
from dicom_nodes.documents.structured_report import StructuredReports
from dicom_nodes.flows.report_channels import ArchiveChannel, RisChannel
from dicom_nodes.flows.return_report import ReturnReport
from dicom_nodes.model.errors import PeerFailed
from dicom_nodes.model.instance import InstanceHeader
from dicom_nodes.model.study import StudyRecord
from tests.fakes.report_fakes import MemoryArchive, MemoryCatalogue, MemoryOrderStore, MemoryRis, leased_job
from tests.fakes.report_samples import NHS_NUMBER, STUDY_UID

HEADER = InstanceHeader(
    sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
    sop_instance_uid="2.25.1",
    study_instance_uid=STUDY_UID,
    series_instance_uid="2.25.2",
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    patient_id="H123456",
    nhs_number=NHS_NUMBER,
    birth_date=date(1960, 2, 3),
    accession_number="RXN000123",
    study_time=datetime(2026, 3, 1, 9, 0, tzinfo=UTC),
    exam_code=("CSKUH", "NICIP", "CT Head"),
    attributes={"PatientName": "O'Brien^Siân", "PatientSex": "F", "StudyDescription": "CT Head"},
)
PATIENT = contract.PatientIdentity(
    issuer="RXN", patient_id="H123456", nhs_number=NHS_NUMBER, birth_date=date(1960, 2, 3)
)


class Desk:
    """A node's report desk with everything in memory."""

    def __init__(self, *, origin: str = "RXN", patient: contract.PatientIdentity = PATIENT) -> None:
        self.ris: MemoryRis | None = MemoryRis()
        self.archive = MemoryArchive()
        self.studies: dict[str, StudyRecord] = {}
        self.record: StudyRecord | None = StudyRecord(HEADER, "RXN", "CT1", ("CT", "SR"), (), 1)
        self.steps: list[str] = []
        study = contract.StudyIdentity(
            study_instance_uid=STUDY_UID,
            origin=origin,
            accession_number="RXN000123",
            accession_issuer="RXN",
            patient=patient,
        )
        body = contract.ReturnReport(
            read_id="read-1",
            report_id="3f0e5a52-1111-4222-8333-000000000001",
            version=1,
            study=study,
            status="F",
            text="No haemorrhage < 5 mm.",
            author=contract.ReportAuthor(registration="C9991234", name="Okafor^Ada"),
            authored_at=datetime(2026, 3, 1, 10, 0, tzinfo=UTC),
            verified_at=datetime(2026, 3, 1, 10, 5, tzinfo=UTC),
        )
        order = contract.Order(seq=1, order_id="order-1", issued_at=body.verified_at, body=body)
        self.orders = MemoryOrderStore({"order-1": order})

    def also(self, order_id: str, **changes: object) -> None:
        """Another order of the same study."""
        first = self.orders.orders["order-1"]
        body = first.body.model_copy(update=changes)
        self.orders.orders[order_id] = first.model_copy(update={"order_id": order_id, "body": body})

    def has_study(self, study_instance_uid: str) -> None:
        """Another study of the same patient."""
        header = replace(HEADER, study_instance_uid=study_instance_uid)
        self.studies[study_instance_uid] = StudyRecord(header, "RXN", "CT1", ("CT",), (), 1)

    def flow(self, catalogue: MemoryCatalogue | None = None) -> ReturnReport:
        catalogue = catalogue or MemoryCatalogue(
            self.studies | ({} if self.record is None else {STUDY_UID: self.record})
        )
        write = StructuredReports().write
        channels = {
            "ris": RisChannel(self.ris),
            "archive": ArchiveChannel(self.archive, lambda report: (write(report), ())),
        }
        return ReturnReport(self.orders, catalogue, channels, "RXN", self.steps.append)  # type: ignore[arg-type]

    def run(self, order_id: str = "order-1", channels: tuple[str, ...] = ("ris", "archive")) -> None:
        """Each channel's job once, as its worker does it; the first failure is raised when all have been tried."""
        failures = []
        for channel in channels:
            try:
                self.flow()(leased_job(f"{order_id}/{channel}"))
            except PeerFailed as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    @property
    def nothing_happened(self) -> bool:
        sent = self.ris.received if self.ris else []
        return not (sent or self.archive.kept or self.orders.acknowledged or self.orders.completed)
