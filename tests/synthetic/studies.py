"""Studies of invented people for tests: the demonstration's generator, plus what only tests want to send."""

import hashlib
from dataclasses import replace
from itertools import count
from pathlib import Path

from pydicom import Dataset, dcmread

from readacross.demo.images import (
    ImageFile,
    MadeStudy,
    bundled_study,
    data_set_bytes,
    digest_of_file,
    synthetic_study,
)
from readacross.demo.patients import Patient, invented_patient, nhs_number

__all__ = [
    "ImageFile",
    "MadeStudy",
    "Patient",
    "bundled_study",
    "data_set_bytes",
    "digest_of_file",
    "invented_patient",
    "make_study",
    "next_serial",
    "nhs_number",
    "pixel_digest",
    "read_file",
    "rewritten",
    "synthetic_study",
]

_serials = count(1)


def next_serial() -> int:
    """A number no other study of this test process has: for patients and accession numbers."""
    return next(_serials)


def make_study(folder: Path, modality: str = "CT", *, origin: str = "RXN", slices: int = 3) -> MadeStudy:
    """A small study of a person and under an accession number that no other study of this test process has."""
    return synthetic_study(folder, modality, origin=origin, serial=next_serial(), slices=slices)


def read_file(path: Path) -> Dataset:
    """The data set of a Part 10 file, parsed."""
    return dcmread(path)


def pixel_digest(path: Path) -> str:
    """SHA-256 (hex) of the value of PixelData."""
    return hashlib.sha256(dcmread(path).PixelData).hexdigest()


def rewritten(file: ImageFile, folder: Path, **attributes: object) -> ImageFile:
    """A copy of the instance under `folder` with attributes set by keyword (None deletes one), its UIDs kept.

    Setting SOPInstanceUID or SOPClassUID changes the file meta with it.
    """
    data_set = dcmread(file.path)
    for keyword, value in attributes.items():
        if value is None:
            delattr(data_set, keyword)
        else:
            setattr(data_set, keyword, value)
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.get("SOPInstanceUID", file.sop_instance_uid)
    data_set.file_meta.MediaStorageSOPClassUID = data_set.get("SOPClassUID", file.sop_class_uid)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file.path.name
    data_set.save_as(path, enforce_file_format=True)
    return replace(
        file,
        path=path,
        sop_instance_uid=str(data_set.file_meta.MediaStorageSOPInstanceUID),
        sop_class_uid=str(data_set.file_meta.MediaStorageSOPClassUID),
        digest=digest_of_file(path),
    )
