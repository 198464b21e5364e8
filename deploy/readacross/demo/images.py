"""DICOM studies of people who do not exist: synthetic CT, MR and CR, and real images bundled with pydicom.

Every study has new UIDs. What is sent is what is in its files: the digest is taken from them, so that a receiver's
copy can be compared byte for byte.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from dicom_nodes.encoding.digest import digest_of
from readacross.demo.patients import Patient, invented_patient

NHS_NUMBER_OID = "2.16.840.1.113883.2.1.4.1"
LONDON = ZoneInfo("Europe/London")


@dataclass(frozen=True, slots=True)
class Exam:
    """What is examined: modality, SOP class, illustrative exam code, matrix and value range."""

    modality: str
    sop_class_uid: str
    code: str
    description: str
    body_part: str
    rows: int
    columns: int


EXAMS = {
    "CT": Exam("CT", "1.2.840.10008.5.1.4.1.1.2", "CSKUH", "CT Head", "HEAD", 128, 128),
    "MR": Exam("MR", "1.2.840.10008.5.1.4.1.1.4", "MSKUH", "MRI Head", "HEAD", 96, 96),
    "CR": Exam("CR", "1.2.840.10008.5.1.4.1.1.1", "XCHES", "XR Chest", "CHEST", 256, 208),
}

BUNDLED = {"CT": ("CT_small.dcm",), "MR": ("MR_small.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm")}
"""Real images that pydicom ships: one uncompressed CT, and one MR uncompressed, as RLE and as JPEG 2000."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One instance in a Part 10 file; `digest` is the SHA-256 (hex) of its data set without file meta."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    digest: str


@dataclass(frozen=True, slots=True)
class MadeStudy:
    """A study ready to be sent."""

    study_instance_uid: str
    accession_number: str
    modality: str
    description: str
    patient: Patient
    files: tuple[ImageFile, ...]

    @property
    def digests(self) -> dict[str, str]:
        """SOP Instance UID → digest."""
        return {file.sop_instance_uid: file.digest for file in self.files}


def data_set_bytes(part10: bytes) -> bytes:
    """The data set of a Part 10 file as it is encoded there (DICOM PS3.10 7.1: group length ends the meta group).

    Raises:
        ValueError: not a Part 10 file whose meta group begins with its length.
    """
    if part10[128:132] != b"DICM" or part10[132:140] != b"\x02\x00\x00\x00UL\x04\x00":
        raise ValueError("not a DICOM Part 10 file with a meta group length")
    return part10[144 + int.from_bytes(part10[140:144], "little") :]


def digest_of_file(path: Path) -> str:
    """The digest of a Part 10 file's data set, as nodes tell it to one another."""
    return digest_of(data_set_bytes(path.read_bytes()))


def synthetic_study(
    folder: Path,
    modality: str,
    *,
    origin: str,
    serial: int,
    slices: int = 12,
    series: int = 1,
    patient: Patient | None = None,
    accession_number: str | None = None,
    studied_at: datetime | None = None,
    issuers_stated: bool = True,
) -> MadeStudy:
    """Write a study of `series` series of `slices` instances under `folder`.

    `origin` is the ODS code that issues patient id and accession number; `issuers_stated=False` leaves the issuers
    out, as many modalities do. `studied_at` is aware (default: now).
    """
    exam = EXAMS[modality]
    head = _study_header(exam, origin, serial, patient, accession_number, studied_at, issuers_stated)
    made: list[Dataset] = []
    frame_of_reference = generate_uid()
    for series_number in range(1, series + 1):
        series_uid = generate_uid()
        for number in range(1, slices + 1):
            data_set = _copy(head)
            data_set.SeriesInstanceUID = series_uid
            data_set.SeriesNumber = series_number
            data_set.SeriesDescription = f"{exam.description} series {series_number}"
            data_set.FrameOfReferenceUID = frame_of_reference
            data_set.InstanceNumber = number
            _add_geometry(data_set, exam, number)
            _add_pixels(data_set, exam, number / slices, seed=serial * 1000 + series_number * 100 + number)
            made.append(data_set)
    return _written(folder, exam.modality, head, patient or invented_patient(serial), made)


def bundled_study(
    folder: Path,
    modality: str,
    *,
    origin: str,
    serial: int,
    studied_at: datetime | None = None,
) -> MadeStudy:
    """Write a study of the real images that come with pydicom, under new UIDs and an invented patient."""
    exam = EXAMS[modality]
    patient = invented_patient(serial)
    head = _study_header(exam, origin, serial, patient, None, studied_at, issuers_stated=True)
    series_uid = generate_uid()
    made: list[Dataset] = []
    for number, name in enumerate(BUNDLED[modality], start=1):
        file = get_testdata_file(name, download=False)
        if not isinstance(file, str):
            raise FileNotFoundError(f"pydicom came without its image {name}")
        data_set = dcmread(file)
        for keyword in ("OtherPatientIDs", "AdditionalPatientHistory", "InstitutionName", "ReferringPhysicianName"):
            if keyword in data_set:
                delattr(data_set, keyword)
        data_set.update(_copy(head))
        data_set.SOPClassUID = exam.sop_class_uid
        data_set.SeriesInstanceUID = series_uid
        data_set.InstanceNumber = number
        made.append(data_set)
    return _written(folder, modality, head, patient, made)


def _study_header(
    exam: Exam,
    origin: str,
    serial: int,
    patient: Patient | None,
    accession_number: str | None,
    studied_at: datetime | None,
    issuers_stated: bool,
) -> Dataset:
    patient = patient or invented_patient(serial)
    local = (studied_at or datetime.now(UTC)).astimezone(LONDON)
    head = Dataset()
    if patient.character_set:
        head.SpecificCharacterSet = patient.character_set
    head.SOPClassUID = exam.sop_class_uid
    head.StudyDate = head.SeriesDate = head.AcquisitionDate = head.ContentDate = local.strftime("%Y%m%d")
    head.StudyTime = head.SeriesTime = head.AcquisitionTime = head.ContentTime = local.strftime("%H%M%S")
    head.TimezoneOffsetFromUTC = local.strftime("%z")
    head.AccessionNumber = accession_number or f"{origin}{serial:08d}"
    head.Modality = exam.modality
    head.Manufacturer = "Readacross synthetic"
    head.ReferringPhysicianName = ""
    head.StudyDescription = exam.description
    head.ProcedureCodeSequence = [_code(exam.code, "NICIP", exam.description)]
    head.PatientName = patient.name
    head.PatientID = patient.patient_id
    head.PatientBirthDate = patient.birth_date.strftime("%Y%m%d")
    head.PatientSex = patient.sex
    head.OtherPatientIDsSequence = [_nhs_number_item(patient.nhs_number)]
    if issuers_stated:
        head.IssuerOfPatientID = origin
        issuer = Dataset()
        issuer.LocalNamespaceEntityID = origin
        head.IssuerOfAccessionNumberSequence = [issuer]
    head.BodyPartExamined = exam.body_part
    head.StudyInstanceUID = generate_uid()
    head.StudyID = str(serial)
    return head


def _nhs_number_item(number: str) -> Dataset:
    authority = Dataset()
    authority.UniversalEntityID = NHS_NUMBER_OID
    authority.UniversalEntityIDType = "ISO"
    item = Dataset()
    item.PatientID = number
    item.IssuerOfPatientID = "NHS"
    item.TypeOfPatientID = "TEXT"
    item.IssuerOfPatientIDQualifiersSequence = [authority]
    return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = meaning
    return item


def _copy(head: Dataset) -> Dataset:
    copy = Dataset()
    copy.update(head)
    return copy


def _add_geometry(data_set: Dataset, exam: Exam, number: int) -> None:
    if exam.modality == "CR":
        data_set.ViewPosition = "PA"
        data_set.PatientOrientation = ["L", "F"]
        return
    data_set.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL" if exam.modality == "CT" else "M"]
    data_set.PatientPosition = "HFS"
    data_set.ImagePositionPatient = [-100, -100, number * 5]
    data_set.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data_set.PixelSpacing = [200 / exam.rows, 200 / exam.columns]
    data_set.SliceThickness = 5
    data_set.PositionReferenceIndicator = ""
    if exam.modality == "CT":
        data_set.KVP = 120
        data_set.RescaleIntercept = -1024
        data_set.RescaleSlope = 1
        data_set.AcquisitionNumber = 1
    else:
        data_set.ScanningSequence = "SE"
        data_set.SequenceVariant = "NONE"
        data_set.ScanOptions = ""
        data_set.MRAcquisitionType = "2D"
        data_set.EchoTime = 12
        data_set.RepetitionTime = 500
        data_set.EchoTrainLength = 1


def _add_pixels(data_set: Dataset, exam: Exam, depth: float, *, seed: int) -> None:
    """A skull-like ellipse with noise, 12 bits in 16; `depth` (0–1) shapes it, so no two slices are the same."""
    row, column = np.mgrid[-1 : 1 : exam.rows * 1j, -1 : 1 : exam.columns * 1j]
    radius = np.hypot(row / 0.92, column / 0.78) / np.sqrt(1.05 - (depth - 0.5) ** 2)
    image = np.where(radius < 1, 1064, 24) + np.where(abs(radius - 0.94) < 0.05, 900, 0)
    image += np.where(np.hypot(row - 0.3 + depth / 2, column + 0.2) < 0.14, 180, 0)
    noisy = image + np.random.default_rng(seed).normal(0, 12, image.shape)
    pixels = np.clip(noisy, 0, 4095).astype("<u2")
    data_set.SamplesPerPixel = 1
    data_set.PhotometricInterpretation = "MONOCHROME2"
    data_set.Rows, data_set.Columns = pixels.shape
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = 16, 12, 11
    data_set.PixelRepresentation = 0
    data_set.WindowCenter, data_set.WindowWidth = 1064, 400
    data_set.PixelData = pixels.tobytes()


def _written(folder: Path, modality: str, head: Dataset, patient: Patient, made: Iterable[Dataset]) -> MadeStudy:
    folder = folder / str(head.StudyInstanceUID)
    folder.mkdir(parents=True)
    files = tuple(_write(folder, data_set, number) for number, data_set in enumerate(made, start=1))
    return MadeStudy(
        study_instance_uid=str(head.StudyInstanceUID),
        accession_number=str(head.AccessionNumber),
        modality=modality,
        description=str(head.StudyDescription),
        patient=patient,
        files=files,
    )


def _write(folder: Path, data_set: Dataset, number: int) -> ImageFile:
    data_set.SOPInstanceUID = generate_uid()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = data_set.SOPClassUID
    meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    source = data_set.file_meta if isinstance(data_set, FileDataset) else None
    meta.TransferSyntaxUID = source.TransferSyntaxUID if source is not None else ExplicitVRLittleEndian
    data_set.file_meta = meta
    buffer = io.BytesIO()
    data_set.save_as(buffer, enforce_file_format=True)
    path = folder / f"{number:04d}.dcm"
    path.write_bytes(buffer.getvalue())
    return ImageFile(
        path=path,
        sop_class_uid=str(data_set.SOPClassUID),
        sop_instance_uid=str(data_set.SOPInstanceUID),
        transfer_syntax_uid=str(meta.TransferSyntaxUID),
        digest=digest_of_file(path),
    )
