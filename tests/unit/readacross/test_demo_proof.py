"""The demonstration's own check finds what is missing or changed: it cannot pass by looking at nothing."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from readacross.demo.images import MadeStudy
from readacross.demo.proof import image_faults, report_faults
from readacross.demo.region import ORIGIN, READER_NAME, REGISTRATION
from readacross.demo.report_messages import Signed, as_oru, as_structured_report
from tests.synthetic.studies import make_study, rewritten

TEXT = "Normal & < 5 | ^ ~ \\ end.\nŁukasz"


def archived(study: MadeStudy, folder: Path) -> Path:
    series = folder / study.study_instance_uid / "series"
    series.mkdir(parents=True)
    for file in study.files:
        (series / f"{file.sop_instance_uid}.dcm").write_bytes(file.path.read_bytes())
    return folder


def signed(study: MadeStudy, text: str = TEXT) -> Signed:
    return Signed(study, ORIGIN, text, REGISTRATION, READER_NAME, datetime(2026, 1, 1, tzinfo=UTC))


def test_equal_images_have_no_faults(tmp_path: Path) -> None:
    study = make_study(tmp_path / "sent")
    assert list(image_faults(study, archived(study, tmp_path / "pacs"), study.digests)) == []


def test_missing_and_changed_images_are_named_by_place(tmp_path: Path) -> None:
    study = make_study(tmp_path / "sent")
    pacs = archived(study, tmp_path / "pacs")
    first, second, third = study.files
    (pacs / study.study_instance_uid / "series" / f"{first.sop_instance_uid}.dcm").unlink()
    other = rewritten(second, tmp_path / "changed", PatientID="1")
    (pacs / study.study_instance_uid / "series" / f"{second.sop_instance_uid}.dcm").write_bytes(other.path.read_bytes())
    assert list(image_faults(study, pacs, {third.sop_instance_uid: "0" * 64})) == [
        "1 of 3 images are not in the origin's archive",
        "1 of 3 images differ in the origin's archive",
        "2 of 3 images are not on the workstation",
        "1 of 3 images differ on the workstation",
    ]


@pytest.mark.parametrize(
    ("at_ris", "in_archive", "faults"),
    [
        (TEXT, TEXT, []),
        (None, None, ["the RIS has no report of it", "the archive has no SR of it"]),
        ("Normal & ", TEXT, ["the report's text differs at the RIS"]),
        (TEXT, TEXT + ".", ["the report's text differs in the SR in the archive"]),
    ],
)
def test_report_is_compared_at_the_ris_and_in_the_archive(
    tmp_path: Path, at_ris: str | None, in_archive: str | None, faults: list[str]
) -> None:
    study = make_study(tmp_path / "sent", slices=1)
    pacs = archived(study, tmp_path / "pacs")
    messages = [as_oru(signed(make_study(tmp_path / "other", slices=1)), "X1")]
    if at_ris is not None:
        messages.append(as_oru(signed(study, at_ris), "X2"))
    if in_archive is not None:
        (pacs / study.study_instance_uid / "series" / "sr.dcm").write_bytes(
            as_structured_report(signed(study, in_archive))
        )
    assert list(report_faults(study, TEXT, messages, pacs)) == faults


def test_a_study_nobody_reported_is_a_fault(tmp_path: Path) -> None:
    study = make_study(tmp_path, slices=1)
    assert list(report_faults(study, None, [], tmp_path)) == ["no report was written"]
