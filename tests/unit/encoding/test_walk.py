"""The walk reads every bundled data set to its last byte, and nothing that is cut or padded passes for whole."""

import contextlib
import io
import mmap
import tracemalloc
import zlib
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from dicom_nodes.encoding.part10 import data_set_of
from dicom_nodes.encoding.walk import DamagedDataSetError, layout_of, plain_data_set, walk

EXPLICIT, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
BUNDLED = Path(pydicom.__file__).parent / "data" / "test_files"


def encoded(data_set: Dataset, transfer_syntax_uid: str) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian = transfer_syntax_uid != BIG
    stream.is_implicit_VR = transfer_syntax_uid == IMPLICIT
    write_dataset(stream, data_set)
    return stream.getvalue()


def nested() -> Dataset:
    inner = Dataset()
    inner.CodeValue = "T1"
    outer = Dataset()
    outer.ConceptNameCodeSequence = Sequence([inner, inner])
    outer.ContentSequence = Sequence([])
    data_set = Dataset()
    data_set.PatientID = "P1"
    data_set.ContentSequence = Sequence([outer])
    data_set.PixelData = b"\0\1\2\3"
    data_set["PixelData"].VR = "OW"
    return data_set


def walked(data: bytes, transfer_syntax_uid: str) -> list[int]:
    plain = plain_data_set(data, transfer_syntax_uid)
    return [element.tag for element in walk(plain, layout_of(transfer_syntax_uid))]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_walk_finds_the_top_level_elements_of_nested_sequences(syntax: str) -> None:
    assert walked(encoded(nested(), syntax), syntax) == [0x00100020, 0x0040A730, 0x7FE00010]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_walk_refuses_a_data_set_cut_anywhere_but_between_elements(syntax: str) -> None:
    whole = encoded(nested(), syntax)
    plain = list(walk(whole, layout_of(syntax)))
    boundaries = {0, *(element.end for element in plain)}
    boundaries |= {element.end + 8 for element in plain if element.undefined_length}
    for cut in range(1, len(whole)):
        if cut in boundaries:
            continue
        with pytest.raises(DamagedDataSetError):
            walked(whole[:cut], syntax)


def test_walk_refuses_garbage_behind_the_last_element() -> None:
    for garbage in (b"\0", b"\0" * 8, b"\0" * 64, b"GARBAGE!" * 4):
        with pytest.raises(DamagedDataSetError):
            walked(encoded(nested(), EXPLICIT) + garbage, EXPLICIT)


def test_a_deflated_data_set_is_whole_only_with_its_end() -> None:
    plain = encoded(nested(), EXPLICIT)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(plain) + packer.flush()
    assert walked(packed, DEFLATED) == walked(plain, EXPLICIT)
    assert walked(packed + b"\0", DEFLATED) == walked(plain, EXPLICIT)
    for damaged in (packed[:-1], packed[: len(packed) // 2], packed + b"12345678", b"\xff" * 20):
        with pytest.raises(DamagedDataSetError):
            walked(damaged, DEFLATED)


def deflated(plain: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return packer.compress(plain) + packer.flush()


def test_a_deflate_bomb_is_refused_before_it_fills_the_memory() -> None:
    bomb = deflated(bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(DamagedDataSetError, match="inflates to more than 8388608 bytes"):
            plain_data_set(bomb, DEFLATED, limit_bytes=8 << 20)
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size_bytes", [1, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, 3_000_001])
def test_a_deflated_data_set_of_any_size_up_to_the_limit_comes_out_whole(size_bytes: int) -> None:
    plain = (bytes(range(251)) * (size_bytes // 251 + 1))[:size_bytes]
    for packed in (deflated(plain), deflated(plain) + b"\0"):
        assert plain_data_set(packed, DEFLATED, limit_bytes=size_bytes) == plain
    with pytest.raises(DamagedDataSetError, match=f"more than {size_bytes - 1} bytes"):
        plain_data_set(deflated(plain), DEFLATED, limit_bytes=size_bytes - 1)


@pytest.mark.parametrize("name", ["CT_small", "MR_small_bigendian", "image_dfl", "JPEG2000", "MR_small_RLE", "rtplan"])
def test_walk_reads_real_files_in_every_kind_of_transfer_syntax(name: str) -> None:
    file = BUNDLED / f"{name}.dcm"
    syntax = pydicom.dcmread(file, stop_before_pixels=True).file_meta.TransferSyntaxUID
    data_set = data_set_of(file.read_bytes())
    assert walked(data_set, syntax)
    with pytest.raises(DamagedDataSetError):
        walked(data_set[:-3], syntax)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([EXPLICIT, IMPLICIT, BIG, DEFLATED]))
def test_arbitrary_bytes_are_read_or_refused_and_nothing_else(data: bytes, syntax: str) -> None:
    with contextlib.suppress(DamagedDataSetError):
        walked(data, syntax)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_flipped_byte_never_crashes_the_walk(data: st.DataObject) -> None:
    syntax = data.draw(st.sampled_from([EXPLICIT, IMPLICIT, BIG]))
    whole = bytearray(encoded(nested(), syntax))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DamagedDataSetError):
        walked(bytes(whole), syntax)


def test_nesting_without_end_is_refused_instead_of_recursing() -> None:
    deep = b""
    for _ in range(3000):
        deep = b"\x40\x00\x30\xa7\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" + deep
    with pytest.raises(DamagedDataSetError, match="nested"):
        walked(deep, IMPLICIT)


def test_a_declared_length_is_not_an_allocation() -> None:
    huge = io.BytesIO()
    huge.write(b"\xe0\x7f\x10\x00OW\0\0\xfe\xff\xff\xff" + b"\0" * 16)
    with pytest.raises(DamagedDataSetError, match="announces 4294967294 bytes, 16 are there"):
        walked(huge.getvalue(), EXPLICIT)


def test_pixel_data_of_undefined_length_is_walked_where_more_than_four_gibibytes_follow(tmp_path: Path) -> None:
    """0xFFFFFFFF is no length, also where so many bytes are there; the file is sparse."""
    largest = 0xFFFFFFFE
    with (tmp_path / "huge").open("w+b") as file:
        file.write(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\0\0\0\0")
        for size in (largest, 16):
            file.write(b"\xfe\xff\x00\xe0" + size.to_bytes(4, "little"))
            file.seek(size, io.SEEK_CUR)
        file.write(b"\xfe\xff\xdd\xe0\0\0\0\0")
        file.flush()
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
            (pixels,) = walk(data, layout_of(EXPLICIT))
            assert (pixels.undefined_length, pixels.end) == (True, len(data) - 8)
