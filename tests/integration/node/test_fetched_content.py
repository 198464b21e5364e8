"""What another node sends is compared with the manifest before anybody can take it for the image."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dicom_nodes.contract import FetchStudy as FetchOrder
from dicom_nodes.contract import (
    InstanceQuarantined,
    Manifest,
    ManifestEntry,
    NodeAddress,
    Order,
    OrderBatch,
    OrderCompleted,
    PatientIdentity,
    StudyIdentity,
)
from dicom_nodes.documents.structured_report import StructuredReports
from dicom_nodes.encoding.digest import HeldDataSet, digest_of
from dicom_nodes.encoding.walk import EXPLICIT_VR_LITTLE_ENDIAN
from dicom_nodes.flows.associations import OpenAssociations
from dicom_nodes.flows.fetch_study import FetchStudy
from dicom_nodes.flows.ingest import Ingest, Issuers
from dicom_nodes.flows.register import CatalogueRegister
from dicom_nodes.flows.take_report import TakeReport
from dicom_nodes.model.delivery import ApplicationEntity, RetrievedInstance, RetrieveSummary
from dicom_nodes.model.errors import PeerRefused
from dicom_nodes.spool.segments import SegmentSpool
from dicom_nodes.spool.store import NodeStore, open_store
from tests.synthetic.small_instances import CT, small_data_set, uid_of

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
RIGHT, WRONG = small_data_set(1, 5000), small_data_set(1, 5000, seed=1)


class Source:
    """Sends what it is told to."""

    def __init__(self, *sends: tuple[int, bytes]) -> None:
        self.sends = sends
        self.answers: list[int] = []
        self.asked: list[Mapping[str, Sequence[str]] | None] = []

    def get_study(
        self,
        source: ApplicationEntity,
        study_instance_uid: str,
        contexts: Sequence[tuple[str, str]],
        receive: Callable[[RetrievedInstance], int],
        draft: object = None,
        *,
        only: Mapping[str, Sequence[str]] | None = None,
    ) -> RetrieveSummary:
        self.asked.append(only)
        for number, data_set in self.sends:
            instance = RetrievedInstance(CT, uid_of(number), EXPLICIT_VR_LITTLE_ENDIAN, HeldDataSet(data_set))
            self.answers.append(receive(instance))
        return RetrieveSummary(0, len(self.sends), 0, 0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    store = open_store(f"sqlite:///{tmp_path / 'node.db'}", lambda: NOW, "pacs")
    store.catalogue.committer.start()
    yield store
    store.catalogue.committer.stop()
    store.database.dispose()


def fetch(store: NodeStore, folder: Path, source: Source) -> None:
    """Carry out an order to fetch instance 1 with the right content."""
    entry = ManifestEntry(
        sop_instance_uid=uid_of(1),
        sop_class_uid=CT,
        series_instance_uid="1.9.1.1",
        transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN,
        digest=digest_of(RIGHT),
        size_bytes=len(RIGHT),
    )
    study = StudyIdentity(
        study_instance_uid="1.9.1",
        origin="RXL",
        accession_number=None,
        accession_issuer=None,
        patient=PatientIdentity(issuer="RXL", patient_id=None),
    )
    address = NodeAddress(ods_code="RXL", ae_title="RXL_NODE", host="127.0.0.1", port=1)
    body = FetchOrder(read_id="read-1", study=study, revision=1, manifest=Manifest(entries=(entry,)), source=address)
    store.orders.accept(
        OrderBatch(log_id="log-1", orders=(Order(seq=1, order_id="order-1", issued_at=NOW, body=body),))
    )
    take_report = TakeReport(store.orders)
    spool = SegmentSpool(folder / "spool", segment_bytes=4 << 20)
    issuers = Issuers("RXN", "RXN")
    register = CatalogueRegister(store.catalogue, spool.is_sound, OpenAssociations(), take_report)
    ingest = Ingest(spool, register, StructuredReports(), issuers, 0)
    job = store.jobs.lease(["fetch"], lease_s=60)
    assert job is not None
    FetchStudy(store.orders, store.catalogue, source, ingest, lambda: NOW, source_of=_where_the_order_says)(job)


def _where_the_order_says(named: NodeAddress) -> ApplicationEntity:
    return ApplicationEntity(named.ae_title, named.host, named.port)


def facts(store: NodeStore) -> list[object]:
    return [body for _, _, body in store.outbox.pending(100)[1]]


def test_what_the_manifest_says_is_asked_for_and_taken(store: NodeStore, tmp_path: Path) -> None:
    source = Source((1, RIGHT))
    fetch(store, tmp_path, source)
    assert source.asked == [{"1.9.1.1": [uid_of(1)]}]
    assert [type(fact) for fact in facts(store)] == [OrderCompleted]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ((1, WRONG), "its content is not what the manifest says"),
        ((2, RIGHT), "the manifest does not name this instance"),
    ],
)
def test_anything_else_is_kept_aside_and_stands_in_nobodys_way(
    store: NodeStore, tmp_path: Path, sent: tuple[int, bytes], reason: str
) -> None:
    source = Source(sent)
    with pytest.raises(PeerRefused, match=reason):
        fetch(store, tmp_path, source)
    assert source.answers == [0xC000]
    assert store.catalogue.find_instance(uid_of(sent[0])) is None
    assert [fact.reason for fact in facts(store) if isinstance(fact, InstanceQuarantined)] == [reason]
