"""Images for measuring: pseudo-random pixels under unique UIDs, made from a seed alone.

Whoever knows seed and number knows every byte, so sender and verifier need not exchange any. Cheap to make: the
pixels are windows onto one block of noise, and only the header is copied.
"""

import hashlib
import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian

from readacross.demo.images import data_set_bytes

TRANSFER_SYNTAX = str(ExplicitVRLittleEndian)
_SLACK = 1 << 20
"""How much longer than one image the noise is: from there come different windows."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is sent: 16 bits a pixel."""

    name: str
    title: str
    modality: str
    sop_class_uid: str
    rows: int
    columns: int
    frames: int = 1

    @property
    def pixel_bytes(self) -> int:
        return 2 * self.rows * self.columns * self.frames


KINDS = {
    kind.name: kind
    for kind in (
        Kind("ct", "CT 0.53 MB", "CT", "1.2.840.10008.5.1.4.1.1.2", 512, 512),
        Kind("mr", "MR 0.13 MB", "MR", "1.2.840.10008.5.1.4.1.1.4", 256, 256),
        Kind("cr", "CR 10 MB", "CR", "1.2.840.10008.5.1.4.1.1.1", 2500, 2000),
        Kind("mf", "multi-frame 200 MB", "OT", "1.2.840.10008.5.1.4.1.1.7.3", 512, 512, 381),
        Kind("tiny", "16 KB", "CT", "1.2.840.10008.5.1.4.1.1.2", 96, 85),
    )
}


def uid_of(*parts: object) -> str:
    """A UID that these parts always give, of constant length (DICOM PS3.5 B.2)."""
    number = int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=16).digest(), "big")
    return f"2.25.{10**38 + number % 10**38}"


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance; its data set is `header` and then `pixels`."""

    sop_instance_uid: str
    header: bytes
    pixels: memoryview

    @property
    def size_bytes(self) -> int:
        return len(self.header) + len(self.pixels)

    @property
    def digest(self) -> str:
        """Of the data set; see `Digest`."""
        digest = Digest()
        digest.update(self.header)
        digest.update(self.pixels)
        return digest.hexdigest()


def Digest() -> "hashlib.blake2b":  # noqa: N802 - stands for a class
    """What a data set is compared by here: another function than the node's own."""
    return hashlib.blake2b(digest_size=20)


@dataclass(frozen=True)
class Study:
    """`count` instances of one series; every association of a measurement sends a study of its own."""

    kind: Kind
    seed: str
    number: int
    count: int

    @property
    def study_instance_uid(self) -> str:
        return uid_of(self.seed, "study", self.number)

    def sop_instance_uid(self, number: int) -> str:
        return uid_of(self.seed, self.number, number)

    def instance(self, number: int) -> Instance:
        """The instance of that number, from 0."""
        sop_instance_uid = self.sop_instance_uid(number)
        header = self._header.replace(_placeholder("instance"), sop_instance_uid.encode())
        header = header.replace(b"000000000001", f"{number + 1:012}".encode())
        start = 2 * ((self.number * 7919 + number * 4099) % (_SLACK // 2))
        return Instance(sop_instance_uid, header, self._noise[start : start + self.kind.pixel_bytes])

    def instances(self) -> Iterator[Instance]:
        return map(self.instance, range(self.count))

    @cached_property
    def size_bytes(self) -> int:
        return self.count * (len(self._header) + self.kind.pixel_bytes)

    def write_files(self, folder: Path) -> list[Path]:
        """Write Part 10 files for programs that send files."""
        folder.mkdir(parents=True, exist_ok=True)
        files: list[Path] = []
        for number, instance in enumerate(self.instances()):
            file = folder / f"{self.number}-{number:06}.dcm"
            with file.open("wb") as output:
                output.write(_part10_head(self.kind, instance.sop_instance_uid))
                output.write(instance.header)
                output.write(instance.pixels)
            files.append(file)
        return files

    @cached_property
    def _noise(self) -> memoryview:
        return _noise(self.kind.pixel_bytes + _SLACK, self.seed)

    @cached_property
    def _header(self) -> bytes:
        return (
            _template(self.kind)
            .replace(_placeholder("study"), self.study_instance_uid.encode())
            .replace(_placeholder("series"), uid_of(self.seed, "series", self.number).encode())
            .replace(_placeholder("frame"), uid_of(self.seed, "frame", self.number).encode())
        )


def studies(kind: Kind, seed: str, associations: int, instances: int) -> list[Study]:
    """A study for each association; together at least `instances` instances, each study with as many as the others."""
    return [Study(kind, seed, number, -(-instances // associations)) for number in range(associations)]


def _placeholder(name: str) -> bytes:
    return uid_of("placeholder", name).encode()


@lru_cache(maxsize=2)
def _noise(size_bytes: int, seed: str) -> memoryview:
    number = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest(), "big")
    return memoryview(np.random.default_rng(number).bytes(size_bytes))


@lru_cache
def _template(kind: Kind) -> bytes:
    """The data set up to the value of Pixel Data, with placeholders of the final length."""
    data_set = Dataset()
    data_set.SOPClassUID, data_set.Modality = kind.sop_class_uid, kind.modality
    data_set.SOPInstanceUID, data_set.StudyInstanceUID = (
        _placeholder("instance").decode(),
        _placeholder("study").decode(),
    )
    data_set.SeriesInstanceUID = _placeholder("series").decode()
    data_set.FrameOfReferenceUID = _placeholder("frame").decode()
    data_set.SpecificCharacterSet = "ISO_IR 100"
    data_set.StudyDate = data_set.SeriesDate = data_set.ContentDate = "20260105"
    data_set.StudyTime = data_set.SeriesTime = data_set.ContentTime = "101500"
    data_set.AccessionNumber, data_set.StudyID = "BENCH0001", "1"
    data_set.PatientName, data_set.PatientID = "Bench^Invented", "9990000018"
    data_set.PatientBirthDate, data_set.PatientSex = "19500101", "O"
    data_set.StudyDescription, data_set.SeriesDescription = "Measurement", kind.title
    data_set.Manufacturer, data_set.BodyPartExamined = "Readacross", "CHEST"
    data_set.SeriesNumber, data_set.InstanceNumber = 1, "000000000001"
    data_set.ImageType, data_set.ConversionType = ["ORIGINAL", "PRIMARY"], "SYN"
    data_set.PixelSpacing, data_set.SliceThickness = [0.7, 0.7], 1
    data_set.ImagePositionPatient, data_set.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    data_set.SamplesPerPixel, data_set.PhotometricInterpretation = 1, "MONOCHROME2"
    data_set.Rows, data_set.Columns = kind.rows, kind.columns
    if kind.frames > 1:
        data_set.NumberOfFrames = kind.frames
    data_set.BitsAllocated = data_set.BitsStored = 16
    data_set.HighBit, data_set.PixelRepresentation = 15, 0
    data_set.PixelData = bytes(2)
    data_set["PixelData"].VR = "OW"
    written = data_set_bytes(_written(data_set, kind, _placeholder("instance").decode()))
    return written[:-6] + struct.pack("<I", kind.pixel_bytes)


def _part10_head(kind: Kind, sop_instance_uid: str) -> bytes:
    return _written(Dataset(), kind, sop_instance_uid)


def _written(data_set: Dataset, kind: Kind, sop_instance_uid: str) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(kind.sop_class_uid), UID(sop_instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data_set.file_meta = meta
    output = io.BytesIO()
    dcmwrite(output, data_set, enforce_file_format=True)
    return output.getvalue()
