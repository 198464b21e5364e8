"""A pydicom decoder plugin for what GDCM does not decode: JPEG of 12 bits, and high-throughput JPEG 2000."""

import imagecodecs
import numpy as np
from pydicom.pixels.decoders.base import DecodeRunner

_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
_HTJ2K = frozenset({f"1.2.840.10008.1.2.4.{number}" for number in (201, 202, 203)})


def is_available(uid: str) -> bool:
    """As pydicom asks its plugins."""
    return uid == _JPEG_EXTENDED or uid in _HTJ2K


def decode_frame(source: bytes, runner: DecodeRunner) -> bytes:
    """The frame's samples, little endian, colour by pixel.

    Raises:
        ValueError: they are not what the attributes announce.
    """
    is_jpeg = runner.transfer_syntax == _JPEG_EXTENDED
    samples: np.ndarray = imagecodecs.jpeg_decode(source) if is_jpeg else imagecodecs.htj2k_decode(source)
    announced = (runner.rows, runner.columns, *((runner.samples_per_pixel,) if runner.samples_per_pixel > 1 else ()))
    if samples.shape != announced or samples.dtype.itemsize * 8 != runner.bits_allocated:
        raise ValueError("the frame is not what the attributes announce")
    if runner.samples_per_pixel > 1:
        runner.set_option("planar_configuration", 0)
        if str(runner.photometric_interpretation) in {"YBR_ICT", "YBR_RCT"}:
            runner.set_option("photometric_interpretation", "RGB")
    return np.ascontiguousarray(samples).astype(samples.dtype.newbyteorder("<"), copy=False).tobytes()
