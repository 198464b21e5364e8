"""A report is taken once, durably, before anybody is told."""

from dataclasses import replace

import pytest

from dicom_nodes.flows.take_report import TakeReport, report_id_of
from dicom_nodes.hl7.oru import read_oru
from dicom_nodes.model.errors import CannotUnderstand
from dicom_nodes.model.report import ReportChannel
from tests.fakes.report_fakes import MemoryReportStore
from tests.fakes.report_samples import oru

REPORT = read_oru(oru())


def test_the_same_original_is_one_report_and_another_original_another() -> None:
    store = MemoryReportStore()
    take = TakeReport(store)
    assert take(REPORT) == take(REPORT) == report_id_of(REPORT)
    assert store.facts == [report_id_of(REPORT)]
    others = [
        replace(REPORT, original=b"other"),
        replace(REPORT, original_reference="other"),
        replace(REPORT, channel=ReportChannel.DICOM_SR),
    ]
    assert len({take(report) for report in [REPORT, *others]}) == 4


def test_the_step_is_announced_only_after_the_store_has_returned() -> None:
    store, steps = MemoryReportStore(), []
    TakeReport(store, lambda step: steps.append((step, len(store.taken))))(REPORT)
    assert steps == [("report.taken", 1)]


def test_a_store_that_fails_fails_the_taking() -> None:
    steps: list[str] = []
    with pytest.raises(OSError, match="disk"):
        TakeReport(MemoryReportStore(failure=OSError("disk")), steps.append)(REPORT)
    assert steps == []


def test_a_document_with_a_known_uid_and_other_content_is_refused() -> None:
    store = MemoryReportStore()
    document = replace(REPORT, channel=ReportChannel.DICOM_SR, original_reference="1.2.3")
    take = TakeReport(store)
    first = take(document)
    with pytest.raises(CannotUnderstand, match="same SOP Instance UID is here with other content"):
        take(replace(document, original=b"other"))
    assert take(document) == first
    assert store.facts == [first]


def test_a_message_with_a_known_control_id_and_other_content_is_another_message() -> None:
    store = MemoryReportStore()
    take = TakeReport(store)
    assert take(REPORT) != take(replace(REPORT, original=b"other"))
    assert len(store.facts) == 2
