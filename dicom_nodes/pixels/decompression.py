"""Pixels out of their compressed form, and the attributes that must change with them (DICOM PS3.3 C.7.6.3).

A codec that fills up what is missing with grey is no help: each frame must end where its format says so, no warning
is passed over, and the number of bytes must be what the attributes announce.
"""

import warnings
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

from pydicom import Dataset, config, dcmread
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import (
    HTJ2KDecoder,
    HTJ2KLosslessDecoder,
    HTJ2KLosslessRPCLDecoder,
    JPEGExtended12BitDecoder,
    get_decoder,
)

from dicom_nodes.encoding.part10 import plain_file_meta
from dicom_nodes.pixels.loss import MAY_TRUNCATE, is_lossy, method_of
from dicom_nodes.pixels.reencoding import CannotConvertError

_JPEG_LOSSY = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"})
_ENDS_WITH_EOI = _JPEG_LOSSY | {f"1.2.840.10008.1.2.4.{n}" for n in (57, 70, 80, 81, 90, 91, 201, 202, 203)}
COMPRESSED = _ENDS_WITH_EOI | {"1.2.840.10008.1.2.5"}
"""The transfer syntaxes that are decompressed here."""
LARGEST_BYTES = 1 << 30
"""More than that is not held in memory for one instance, whatever a few compressed bytes announce."""
_END = b"\xff\xd9"
_UNUSED_NAMES = ("1.2.840.10008.5.1.4.1.1.7", "2.25.1")
_EXTENDED_OFFSETS = (0x7FE00001, 0x7FE00002)
_PIXEL_DATA, _PHOTOMETRIC = 0x7FE00010, 0x00280004
_LOSSY, _LOSSY_METHOD = 0x00282110, 0x00282114
_NUMBERS = {
    0x00280006: "PlanarConfiguration",
    0x00280100: "BitsAllocated",
    0x00280101: "BitsStored",
    0x00280102: "HighBit",
    0x00280103: "PixelRepresentation",
}

for _decoder in (JPEGExtended12BitDecoder, HTJ2KDecoder, HTJ2KLosslessDecoder, HTJ2KLosslessRPCLDecoder):
    _decoder.add_plugin("imagecodecs", ("dicom_nodes.pixels.imagecodecs_plugin", "decode_frame"))


def decompressed(data_set: bytes, transfer_syntax_uid: str) -> dict[int, tuple[bytes, bytes] | None]:
    """What to change in a compressed data set; see `reencoding.Changes`.

    Raises:
        CannotConvertError: the pixels cannot be had as they were meant.
    """
    config.settings.reading_validation_mode = config.IGNORE
    image = dcmread(BytesIO(plain_file_meta(*_UNUSED_NAMES, transfer_syntax_uid) + data_set), force=True)
    if "PixelData" not in image:
        return {}
    if _announced_bytes(image) > LARGEST_BYTES:
        raise CannotConvertError(f"it would take more than {LARGEST_BYTES >> 20} MiB uncompressed")
    before = {keyword: image.get(keyword) for keyword in ("PhotometricInterpretation", *_NUMBERS.values())}
    lost = transfer_syntax_uid in _ENDS_WITH_EOI and _loses(image, transfer_syntax_uid)
    _without_warning(
        lambda: image.decompress(as_rgb=transfer_syntax_uid in _JPEG_LOSSY, generate_instance_uid=False),
        get_decoder(transfer_syntax_uid).UID.name,
    )
    if image.PhotometricInterpretation == "YBR_FULL_422":
        image.PhotometricInterpretation = "YBR_FULL"  # a codec gives every pixel its colour
    _require_size(image)
    return _changes(image, before) | (_lossy(image, transfer_syntax_uid) if lost else {})


def _loses(image: Dataset, syntax: str) -> bool:
    """Whether the image must be taken for one that was compressed with loss; its frames are whole.

    A reversible codestream in a syntax that allows loss may have been cut short: without a word that it was not, it
    counts as lossy.
    """
    silent = not image.get("LossyImageCompression")
    lossy = [is_lossy(frame, syntax) for frame in _whole_frames(image)]
    return any(lossy) or (silent and syntax in MAY_TRUNCATE)


def _whole_frames(image: Dataset) -> Iterator[bytes]:
    count = int(image.get("NumberOfFrames") or 1)
    offsets = None
    if "ExtendedOffsetTable" in image:
        offsets = (image.ExtendedOffsetTable, image.ExtendedOffsetTableLengths)
    seen = 0
    for frame in generate_frames(image.PixelData, number_of_frames=count, extended_offsets=offsets):
        seen += 1
        if not frame.rstrip(b"\0\xff").endswith(_END):
            raise CannotConvertError(f"frame {seen} of {count} ends early")
        yield frame
    if seen != count:
        raise CannotConvertError(f"{seen} of {count} frames are there")


def _without_warning(decode: Callable[[], Any], syntax: str) -> None:
    """Decode; a warning is a refusal, and neither quotes what the codec said."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            decode()
        except MemoryError:
            raise CannotConvertError("the image takes more memory than there is for it") from None
        except Exception as error:  # noqa: BLE001 - codecs raise what they like; whatever it is, nothing is sent
            raise CannotConvertError(f"the {syntax} pixels cannot be decoded ({type(error).__name__})") from None


def _announced_bytes(image: Dataset) -> int:
    """How many bytes of pixels the attributes announce."""
    try:
        samples = image.Rows * image.Columns * image.SamplesPerPixel * int(image.get("NumberOfFrames") or 1)
        return int(samples * image.BitsAllocated // 8)
    except (AttributeError, TypeError, ValueError):
        raise CannotConvertError("the attributes do not say how large the image is") from None


def _require_size(image: Dataset) -> None:
    expected = _announced_bytes(image)
    if len(image.PixelData) not in {expected, expected + expected % 2}:
        raise CannotConvertError(f"{len(image.PixelData)} bytes of pixels came out, {expected} are announced")


def _changes(image: Dataset, before: dict[str, Any]) -> dict[int, tuple[bytes, bytes] | None]:
    changes: dict[int, tuple[bytes, bytes] | None] = dict.fromkeys(_EXTENDED_OFFSETS)
    changes[_PIXEL_DATA] = (b"OW" if image.BitsAllocated > 8 else b"OB", bytes(image.PixelData))
    if image.PhotometricInterpretation != before["PhotometricInterpretation"]:
        changes[_PHOTOMETRIC] = (b"CS", _text(image.PhotometricInterpretation))
    for tag, keyword in _NUMBERS.items():
        value = image.get(keyword)
        if value is not None and value != before[keyword]:
            changes[tag] = (b"US", int(value).to_bytes(2, "little"))
    return changes


def _lossy(image: Dataset, syntax: str) -> dict[int, tuple[bytes, bytes]]:
    """Say that something was lost, whatever the attributes said before."""
    changes = {_LOSSY: (b"CS", b"01")}
    if not image.get("LossyImageCompressionMethod"):
        changes[_LOSSY_METHOD] = (b"CS", _text(method_of(syntax)))
    return changes


def _text(value: str) -> bytes:
    content = value.encode("ascii")
    return content + b" " if len(content) % 2 else content
