"""Whether a frame was compressed with loss, as its own codestream tells (DICOM PS3.3 C.7.6.1.1.5).

Attributes may be silent or wrong about that, and after decompression nothing else is left to tell it.
"""

import re
from collections.abc import Iterator

from dicom_nodes.pixels.reencoding import CannotConvertError

_JPEG_LOSSY = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"})
_JPEG_LS = frozenset({"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"})
_JPEG_2000 = frozenset({"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"})
_HTJ2K = frozenset({f"1.2.840.10008.1.2.4.{n}" for n in (201, 202, 203)})
MAY_TRUNCATE = frozenset({"1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.203"})
"""What is cut off a reversible codestream here cannot be seen in its headers."""

_SOC_SIZ = b"\xff\x4f\xff\x51"
_SOT, _SOD, _SIZ, _COD, _COC, _EOC = 0xFF90, 0xFF93, 0xFF51, 0xFF52, 0xFF53, 0xFFD9
_IRREVERSIBLE, _REVERSIBLE = 0, 1
_JPEG_SOI, _JPEG_SOS, _JPEG_EOI, _JPEG_LS_FRAME = 0xFFD8, 0xFFDA, 0xFFD9, 0xFFF7
_NEXT_MARKER = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
"""In JPEG-LS a byte behind FF is below 80 within a scan, or belongs to a restart marker, D0 to D7."""


def method_of(transfer_syntax_uid: str) -> str:
    """Lossy Image Compression Method (0028,2114) of what this syntax compresses with loss."""
    for method, syntaxes in (("ISO_10918_1", _JPEG_LOSSY), ("ISO_14495_1", _JPEG_LS), ("ISO_15444_1", _JPEG_2000)):
        if transfer_syntax_uid in syntaxes:
            return method
    return "ISO_15444_15"


def is_lossy(frame: bytes, transfer_syntax_uid: str) -> bool:
    """Whether this frame was compressed with loss.

    Raises:
        CannotConvertError: its codestream does not tell.
    """
    if transfer_syntax_uid in _JPEG_LOSSY:
        return True
    try:
        if transfer_syntax_uid in _JPEG_LS:
            return any(_nears(frame))
        if transfer_syntax_uid in _JPEG_2000 | _HTJ2K:
            return _IRREVERSIBLE in _transforms(frame)
    except IndexError:
        raise CannotConvertError("its codestream does not tell whether it was compressed with loss") from None
    return False


def _nears(frame: bytes) -> list[int]:
    """NEAR of each scan (ISO 14495-1 C.2.3); 0 is without loss. Raises IndexError where there is none."""
    if _word(frame, 0) != _JPEG_SOI:
        raise IndexError
    nears, has_frame, at = list[int](), False, 2
    while (marker := _word(frame, at)) != _JPEG_EOI:
        has_frame |= marker == _JPEG_LS_FRAME
        end = at + 2 + _word(frame, at + 2)
        if marker == _JPEG_SOS:
            nears.append(frame[end - 3])
            following = _NEXT_MARKER.search(frame, end)
            if following is None:
                raise IndexError
            end = following.start()
        at = end
    if not nears or not has_frame:
        raise IndexError
    return nears


def _transforms(frame: bytes) -> set[int]:
    """The wavelet transforms (ISO 15444-1 A.6.1) of the main header and of every tile-part's."""
    start = frame.find(_SOC_SIZ)
    if start < 0:
        raise IndexError
    transforms = set(_header_transforms(frame, start + 2))
    if not transforms or not transforms <= {_IRREVERSIBLE, _REVERSIBLE}:
        raise IndexError
    return transforms


def _header_transforms(frame: bytes, at: int) -> Iterator[int]:
    components, tile_part = 0, at
    while (marker := _word(frame, at)) != _EOC:
        if marker == _SOD:
            length = int.from_bytes(frame[tile_part + 6 : tile_part + 10], "big")
            if length == 0:  # this one goes on to the end
                return
            if length < at + 2 - tile_part:
                raise IndexError
            at = tile_part + length
            continue
        if marker == _SIZ:
            components = _word(frame, at + 38)
        elif marker == _SOT:
            tile_part = at
        elif marker == _COD:
            yield frame[at + 13]
        elif marker == _COC:
            yield frame[at + (10 if components < 257 else 11)]
        at += 2 + _word(frame, at + 2)


def _word(frame: bytes, at: int) -> int:
    return frame[at] << 8 | frame[at + 1]
