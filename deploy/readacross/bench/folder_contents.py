"""What lies in a folder of Part 10 files: the count, and digests of data sets, for contestants that store so."""

import re
from collections.abc import Collection
from pathlib import Path

from readacross.bench.contestants import Stored
from readacross.bench.synthetic import Digest

_HEAD_BYTES = 4096


def stored_in(folder: Path, uids: Collection[str]) -> Stored:
    """Every Part 10 file under `folder` counts; digests are of those whose SOP Instance UID is among `uids`."""
    digests: dict[str, str] = {}
    instances = 0
    for file in folder.rglob("*"):
        if not file.is_file():
            continue
        with file.open("rb") as opened:
            head = opened.read(_HEAD_BYTES)
            if head[128:132] != b"DICM":
                continue
            instances += 1
            uid = sop_instance_uid_of(head)
            if uid not in uids:
                continue
            opened.seek(144 + int.from_bytes(head[140:144], "little"))
            digest = Digest()
            while block := opened.read(1 << 20):
                digest.update(block)
        digests[uid] = digest.hexdigest()
    return Stored(instances, digests)


def sop_instance_uid_of(head: bytes) -> str:
    """Media Storage SOP Instance UID (0002,0003) of the beginning of a Part 10 file; empty without one."""
    found = re.search(rb"\x02\x00\x03\x00UI(..)", head, re.DOTALL)
    if found is None:
        return ""
    length = int.from_bytes(found[1], "little")
    return head[found.end() : found.end() + length].rstrip(b"\0 ").decode("ascii", "replace")
