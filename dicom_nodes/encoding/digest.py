"""The digest by which a data set is known again: BLAKE3 of its bytes as received, without file meta (ADR 050)."""

from blake3 import blake3

from dicom_nodes.foundation.buffers import Buffer


def digest_of(data_set: Buffer) -> str:
    """64 hexadecimal characters."""
    return blake3(data_set).hexdigest()


class HeldDataSet:
    """Implements `model.instance.ReceivedDataSet` for bytes that are in memory anyway."""

    def __init__(self, data_set: bytes) -> None:
        self._data_set = data_set

    @property
    def size_bytes(self) -> int:
        return len(self._data_set)

    @property
    def digest(self) -> str:
        return digest_of(self._data_set)

    def content(self) -> bytes:
        return self._data_set

    def discard(self) -> None:
        """Nothing is held but memory."""
