"""Orthanc's file is compared as it comes, however it is cut."""

import pytest

from dicom_nodes.archive.orthanc import is_file_of
from dicom_nodes.encoding.part10 import plain_file_meta

META = plain_file_meta("1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1")
DATA_SET = bytes(range(256)) * 1000


def cut(file: bytes, size: int) -> list[bytes]:
    return [file[at : at + size] for at in range(0, len(file), size)]


@pytest.mark.parametrize("size", [100, 4096, 65_536, 100_000, 10_000_000])
@pytest.mark.parametrize("data_set", [DATA_SET, DATA_SET[:50]], ids=["long", "short"])
def test_only_the_same_data_set_is_the_same(size: int, data_set: bytes) -> None:
    file = META + data_set
    assert is_file_of(cut(file, size), memoryview(data_set))
    for other in (file[:-1], file + b"\0", file[:-1] + b"\1\1", file[:-20] + b"?" + file[-19:]):
        assert not is_file_of(cut(other, size), data_set)
