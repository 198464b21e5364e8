"""One instance from a transfer syntax into another, in the process that calls: a worker, which may die of it."""

from dicom_nodes.encoding.walk import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    DamagedDataSetError,
    layout_of,
    plain_data_set,
)
from dicom_nodes.pixels.decompression import COMPRESSED, decompressed
from dicom_nodes.pixels.reencoding import CannotConvertError, reencoded

_TARGETS = frozenset({EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN})
_UNCOMPRESSED = _TARGETS | {EXPLICIT_VR_BIG_ENDIAN, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN}


def converted(data_set: bytes, stored: str, wanted: str) -> bytes:
    """The same instance, under the same UIDs, in explicit or implicit VR little endian.

    Raises:
        CannotConvertError: it cannot be had there without loss or doubt.
    """
    if wanted not in _TARGETS or stored not in _UNCOMPRESSED | COMPRESSED:
        raise CannotConvertError("this node does not convert from that transfer syntax")
    try:
        plain = plain_data_set(data_set, stored)
        changes = decompressed(plain, stored) if stored in COMPRESSED else {}
        return reencoded(plain, layout_of(stored), layout_of(wanted), changes)
    except DamagedDataSetError:
        raise CannotConvertError("its data set is damaged") from None
