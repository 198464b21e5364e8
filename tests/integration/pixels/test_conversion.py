"""Images decompressed in the pool are pixel for pixel those of pydicom and DCMTK, under the same UIDs."""

import hashlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate

from dicom_nodes.encoding.part10 import plain_file_meta
from dicom_nodes.encoding.walk import layout_of, walk
from dicom_nodes.model.errors import CannotTranscode
from dicom_nodes.pixels.pool import TranscodingPool
from tests.integration.dimse.node import bundled, data_set_of
from tests.peers.processes import program, run

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
FREE_TO_CHANGE = {"PixelData", "PhotometricInterpretation", "PlanarConfiguration", "LossyImageCompressionMethod"}
FREE_TO_CHANGE |= {"LossyImageCompression"}


@pytest.fixture(scope="module")
def pool() -> Iterator[TranscodingPool]:
    pool = TranscodingPool(processes=1)
    yield pool
    pool.close()


def converted(pool: TranscodingPool, path: Path, wanted: str = EXPLICIT) -> Dataset:
    meta, data_set = data_set_of(path)
    there = pool(memoryview(data_set), str(meta.TransferSyntaxUID), wanted)
    assert list(walk(there, layout_of(wanted)))
    return dcmread(BytesIO(plain_file_meta("1.2.3", "1.2.4", wanted) + there))


LOSSLESS = ["MR_small_RLE.dcm", "SC_rgb_rle_2frame.dcm", "SC_rgb_rle_16bit.dcm", "SC_rgb_jpeg_gdcm.dcm"]
LOSSLESS += [
    "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_jp2klossless.dcm",
    "GDCMJ2K_TextGBR.dcm",
    "rtdose_rle_1frame.dcm",
]
LOSSY = ["SC_rgb_jpeg_dcmtk.dcm", "examples_ybr_color.dcm", "SC_jpeg_no_color_transform.dcm", "JPEG2000.dcm"]
LOSSY += ["JPEGLSNearLossless_16.dcm", "SC_rgb_dcmtk_+eb+cy+s2.dcm", "SC_rgb_gdcm_KY.dcm"]
PLAIN = ["MR_small_bigendian.dcm", "SC_rgb_small_odd_big_endian.dcm", "liver_expb_1frame.dcm", "image_dfl.dcm"]
PLAIN += [
    "MR_small_implicit.dcm",
    "CT_small.dcm",
    "reportsi.dcm",
    "waveform_ecg.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
]


@pytest.mark.parametrize("wanted", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("name", LOSSLESS + LOSSY + PLAIN)
def test_pixels_and_values_are_those_that_pydicom_reads(pool: TranscodingPool, name: str, wanted: str) -> None:
    before = dcmread(bundled(name))

    after = converted(pool, bundled(name), wanted)

    if "PixelData" in before:
        assert np.array_equal(before.pixel_array, after.pixel_array)
    assert {e.keyword for e in before} - FREE_TO_CHANGE == {e.keyword for e in after} - FREE_TO_CHANGE
    assert after.SOPInstanceUID == before.SOPInstanceUID
    for element in before:
        if element.VR not in {"SQ", "UN"} and element.keyword not in FREE_TO_CHANGE and not element.tag.is_private:
            assert after[element.tag].value == element.value


DCMTK = {"1.2.840.10008.1.2.5": "dcmdrle", "1.2.840.10008.1.2.4.80": "dcmdjpls", "1.2.840.10008.1.2.4.81": "dcmdjpls"}


@pytest.mark.peers("dcmtk")
@pytest.mark.parametrize(
    "name",
    [
        "MR_small_RLE.dcm",
        "SC_rgb_rle_2frame.dcm",
        "SC_rgb_jpeg_gdcm.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "JPEGLSNearLossless_16.dcm",
        "JPGExtended.dcm",
        "SC_rgb_dcmtk_+eb+cr.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
    ],
)
def test_pixels_are_those_of_dcmtk(pool: TranscodingPool, tmp_path: Path, name: str) -> None:
    syntax = str(data_set_of(bundled(name))[0].TransferSyntaxUID)
    code, output = run([program(DCMTK.get(syntax, "dcmdjpeg"), "/usr/bin"), bundled(name), tmp_path / "plain.dcm"])
    assert code == 0, output
    theirs = dcmread(tmp_path / "plain.dcm")

    ours = converted(pool, bundled(name))

    assert ours.PhotometricInterpretation == theirs.PhotometricInterpretation
    assert np.array_equal(ours.pixel_array, theirs.pixel_array)


@pytest.mark.parametrize(
    ("name", "photometric", "lossy"),
    [
        ("examples_ybr_color.dcm", "RGB", "01"),
        ("SC_rgb_jpeg_dcmtk.dcm", "RGB", "01"),
        ("JPGExtended.dcm", "MONOCHROME2", "01"),
        ("GDCMJ2K_TextGBR.dcm", "RGB", None),
        ("MR_small_jp2klossless.dcm", "MONOCHROME2", None),
        ("MR_small_jpeg_ls_lossless.dcm", "MONOCHROME2", None),
        ("JPEG2000.dcm", "MONOCHROME2", "01"),
        ("JPEGLSNearLossless_16.dcm", "MONOCHROME2", "01"),
    ],
)
def test_attributes_say_what_the_pixels_are_now(
    pool: TranscodingPool, name: str, photometric: str, lossy: str | None
) -> None:
    after = converted(pool, bundled(name))

    assert after.PhotometricInterpretation == photometric
    assert after.get("LossyImageCompression") == lossy
    assert after.get("PlanarConfiguration", 0) == 0
    samples = after.Rows * after.Columns * after.SamplesPerPixel * int(after.get("NumberOfFrames") or 1)
    assert len(after.PixelData) == samples * after.BitsAllocated // 8


@pytest.mark.parametrize("claim", [None, "", "00"])
@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("SC_rgb_jpeg_dcmtk.dcm", "ISO_10918_1"),
        ("JPGExtended.dcm", "ISO_10918_1"),
        ("JPEGLSNearLossless_16.dcm", "ISO_14495_1"),
        ("JPEG2000.dcm", "ISO_15444_1"),
    ],
)
def test_lossy_image_that_says_otherwise_says_so_afterwards(
    pool: TranscodingPool, tmp_path: Path, name: str, method: str, claim: str | None
) -> None:
    image = dcmread(bundled(name))
    for keyword in ("LossyImageCompression", "LossyImageCompressionMethod"):
        if keyword in image:
            delattr(image, keyword)
    if claim is not None:
        image.LossyImageCompression = claim
    image.save_as(tmp_path / "silent.dcm")

    after = converted(pool, tmp_path / "silent.dcm")

    assert (after.LossyImageCompression, after.LossyImageCompressionMethod) == ("01", method)


@pytest.mark.parametrize(("claim", "told"), [(None, "01"), ("00", "00"), ("01", "01")])
def test_reversible_codestream_that_may_have_been_cut_short_counts_as_lossy_unless_it_says_otherwise(
    pool: TranscodingPool, tmp_path: Path, claim: str | None, told: str
) -> None:
    image = dcmread(bundled("MR_small_jp2klossless.dcm"))
    image.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.91"
    if claim is not None:
        image.LossyImageCompression = claim
    image.save_as(tmp_path / "allowed.dcm")

    assert converted(pool, tmp_path / "allowed.dcm").LossyImageCompression == told


def test_high_throughput_jpeg_2000_is_read(pool: TranscodingPool, tmp_path: Path) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    image = dcmread(bundled("MR_small.dcm"))
    pixels = image.pixel_array
    frame = imagecodecs.htj2k_encode(pixels.astype(pixels.dtype.newbyteorder("=")), reversible=True)
    image.PixelData = encapsulate([frame])
    image["PixelData"].VR = "OB"
    image["PixelData"].is_undefined_length = True
    image.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.201"
    image.save_as(tmp_path / "ht.dcm")

    assert np.array_equal(converted(pool, tmp_path / "ht.dcm").pixel_array, pixels)


def truncated_jpeg(tmp_path: Path) -> Path:
    image = dcmread(bundled("SC_jpeg_no_color_transform.dcm"))
    start = image.PixelData.index(b"\xff\xd8")
    frame = image.PixelData[start:-8]
    image.PixelData = encapsulate([frame[: len(frame) // 2]])
    image.save_as(tmp_path / "short.dcm")
    return tmp_path / "short.dcm"


def missing_frame(tmp_path: Path) -> Path:
    image = dcmread(bundled("SC_jpeg_no_color_transform.dcm"))
    image.NumberOfFrames = 2
    image.save_as(tmp_path / "frames.dcm")
    return tmp_path / "frames.dcm"


def enormous(tmp_path: Path) -> Path:
    image = dcmread(bundled("MR_small_RLE.dcm"))
    image.Rows = image.Columns = 65_535
    image.save_as(tmp_path / "enormous.dcm")
    return tmp_path / "enormous.dcm"


def sizeless(tmp_path: Path) -> Path:
    image = dcmread(bundled("MR_small_RLE.dcm"))
    del image.Rows
    image.save_as(tmp_path / "sizeless.dcm")
    return tmp_path / "sizeless.dcm"


@pytest.mark.parametrize(("damage", "words"), [(enormous, "more than 1024 MiB"), (sizeless, "do not say how large")])
def test_image_is_not_decompressed_before_its_size_is_known_to_be_bearable(
    pool: TranscodingPool, tmp_path: Path, damage: Callable[[Path], Path], words: str
) -> None:
    with pytest.raises(CannotTranscode, match=words):
        converted(pool, damage(tmp_path))


@pytest.mark.parametrize("damage", [truncated_jpeg, missing_frame])
def test_image_that_a_codec_would_fill_up_with_grey_is_refused(
    pool: TranscodingPool, tmp_path: Path, damage: Callable[[Path], Path]
) -> None:
    with pytest.raises(CannotTranscode):
        converted(pool, damage(tmp_path))


def test_damaged_pixels_fail_that_instance_only(pool: TranscodingPool) -> None:
    image = bundled("SC_rgb_jpeg_dcmtk.dcm")
    meta, data_set = data_set_of(image)
    whole = hashlib.sha256(pool(data_set, str(meta.TransferSyntaxUID), EXPLICIT)).digest()
    damaged = bytearray(data_set)
    start_of_frame = damaged.rindex(b"\xff\xc0\x00\x11")
    damaged[start_of_frame + 5 : start_of_frame + 9] = b"\xff\xff\xff\xff"

    with pytest.raises(CannotTranscode):
        pool(bytes(damaged), str(meta.TransferSyntaxUID), EXPLICIT)

    assert hashlib.sha256(pool(data_set, str(meta.TransferSyntaxUID), EXPLICIT)).digest() == whole


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.94", "1.2.3.4"])
def test_films_references_and_private_syntaxes_are_not_converted(pool: TranscodingPool, syntax: str) -> None:
    with pytest.raises(CannotTranscode, match="does not convert from that transfer syntax"):
        pool(b"anything", syntax, EXPLICIT)
