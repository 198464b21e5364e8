"""Documents of a report that is sent again after its patient's identity changed: other UIDs for another identity."""

import io
from collections.abc import Callable
from datetime import date

import pytest
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from dicom_nodes.documents.encapsulated_pdf import ReportPages
from dicom_nodes.documents.structured_report import StructuredReports
from dicom_nodes.model.delivery import OutgoingInstance
from dicom_nodes.model.report import OutgoingReport
from tests.fakes.report_samples import outgoing_report

Write = Callable[[OutgoingReport], OutgoingInstance]


@pytest.mark.parametrize("write", [StructuredReports().write, lambda report: ReportPages("Trust").write(report)[0]])
def test_no_document_nor_series_uid_ever_names_two_identities(write: Write) -> None:
    identities: tuple[dict[str, object], ...] = (
        {},
        {"patient_id": "H900900"},
        {"patient_id": "H900900", "nhs_number": "9990000026"},
        {"birth_date": date(1961, 2, 3)},
    )
    documents = [_written(write, **changes) for changes in identities]
    assert len({document.SOPInstanceUID for document in documents}) == len(identities)
    assert len({document.SeriesInstanceUID for document in documents}) == len(identities)
    for document, changes in zip(documents, identities, strict=True):
        assert document == _written(write, **changes)


def _written(write: Write, **changes: object) -> Dataset:
    report = outgoing_report(**changes, has_moved=bool(changes))
    return read_dataset(io.BytesIO(write(report).read_data_set()), False, True)
