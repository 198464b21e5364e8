"""Loss is read from codestreams that real encoders wrote, and never guessed where one does not tell."""

import imagecodecs
import numpy as np
import pytest

from dicom_nodes.pixels.loss import is_lossy
from dicom_nodes.pixels.reencoding import CannotConvertError

PIXELS = np.random.default_rng(1).integers(0, 64, (64, 48, 3), dtype=np.uint8)
GREY = np.ascontiguousarray(PIXELS[:, :, 0])
PREFIX = "1.2.840.10008.1.2.4."


def j2k(pixels: np.ndarray, *, reversible: bool, **how: object) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(pixels, level=30, reversible=reversible, **{"codecformat": "j2k"} | how))


@pytest.mark.parametrize("pixels", [GREY, PIXELS])
@pytest.mark.parametrize("near", [0, 3])
def test_near_of_jpeg_ls_decides(pixels: np.ndarray, near: int) -> None:
    assert is_lossy(bytes(imagecodecs.jpegls_encode(pixels, level=near)), PREFIX + "81") is (near > 0)


@pytest.mark.parametrize("how", [{}, {"codecformat": "jp2"}, {"resolutions": 1}])
@pytest.mark.parametrize("reversible", [True, False])
def test_wavelet_of_jpeg_2000_decides(reversible: bool, how: dict[str, object]) -> None:
    assert is_lossy(j2k(PIXELS, reversible=reversible, **how), PREFIX + "91") is not reversible


@pytest.mark.parametrize("reversible", [True, False])
def test_wavelet_of_high_throughput_jpeg_2000_decides(reversible: bool) -> None:
    assert is_lossy(bytes(imagecodecs.htj2k_encode(GREY, reversible=reversible)), PREFIX + "203") is not reversible


def test_component_with_a_wavelet_of_its_own_counts() -> None:
    stream = j2k(PIXELS, reversible=True)
    cod = stream.index(b"\xff\x52")
    following = cod + 2 + int.from_bytes(stream[cod + 2 : cod + 4], "big")
    coc = b"\xff\x53\x00\x09\x01\x00" + stream[cod + 9 : cod + 13] + b"\x00"
    start = stream.index(b"\xff\x90")
    end_of_sot, length = start + 12, int.from_bytes(stream[start + 6 : start + 10], "big") + len(coc)

    in_main_header = stream[:following] + coc + stream[following:]
    in_tile_part = stream[: start + 6] + length.to_bytes(4, "big") + stream[start + 10 : end_of_sot] + coc
    in_tile_part += stream[end_of_sot:]

    assert not is_lossy(stream, PREFIX + "90")
    assert is_lossy(in_main_header, PREFIX + "90")
    assert is_lossy(in_tile_part, PREFIX + "90")


@pytest.mark.parametrize("frame", [b"", b"\xff\xd8\xff\xd9", b"\xff\x4f\xff\x51\x00\x29", bytes(100)])
@pytest.mark.parametrize("syntax", ["80", "81", "90", "91", "201", "203"])
def test_codestream_that_does_not_tell_is_refused(frame: bytes, syntax: str) -> None:
    with pytest.raises(CannotConvertError, match="does not tell"):
        is_lossy(frame, PREFIX + syntax)


@pytest.mark.parametrize("syntax", ["50", "51"])
def test_baseline_and_extended_jpeg_always_lose(syntax: str) -> None:
    assert is_lossy(b"", PREFIX + syntax)
