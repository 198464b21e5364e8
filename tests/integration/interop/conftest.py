"""A node's wire for programs that call it, and transcripts: what a program said, line by line, as far as it matters."""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from zlib import MAX_WBITS, decompress

import pytest
from pydicom import Dataset
from pydicom.filereader import read_dataset

from dicom_nodes.model.instance import IncomingInstance
from tests.integration.dimse.node import WireNode, peer, running_node

IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[WireNode]:
    with running_node(tmp_path, f"sqlite:///{tmp_path / 'node.db'}", peer("DCMTK"), peer("PYNETDICOM")) as wire:
        yield wire


def transcript(output: str) -> list[str]:
    """What a DCMTK program or pynetdicom's app said with -v, without file names, data sets and blank lines."""
    lines = [re.sub(r"^[IWE]: ", "", line).strip() for line in output.replace("\r", "\n").splitlines()]
    kept = [
        line for line in lines if line and line not in {"I:", "W:", "E:"} and not line.startswith(("#", "(", "XMIT"))
    ]
    return [re.sub(r"(Sending file): .*", r"\1", line) for line in kept]


def received_data_set(incoming: IncomingInstance) -> Dataset:
    """Parsed as its transfer syntax says."""
    syntax, data = incoming.transfer_syntax_uid, bytes(incoming.data_set)
    if syntax == DEFLATED:
        data = decompress(data, -MAX_WBITS)
    return read_dataset(BytesIO(data), syntax == IMPLICIT, syntax != BIG_ENDIAN)
