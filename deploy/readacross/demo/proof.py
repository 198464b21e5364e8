"""Does what arrived equal what was sent? Bytes of images by SHA-256, reports by their text, at every place."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydicom import Dataset, dcmread

from readacross.demo.images import MadeStudy, digest_of_file

_SR_CLASSES = "1.2.840.10008.5.1.4.1.1.88."
_UNESCAPES = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\", ".br": "\n"}


def image_faults(study: MadeStudy, archive: Path, workstation: Mapping[str, str]) -> Iterator[str]:
    """What is missing or differs in the origin's archive (a folder of Part 10 files) and on the workstation."""
    archived = {
        file.stem: digest_of_file(file)
        for file in (archive / study.study_instance_uid).glob("*/*.dcm")
        if file.stem in study.digests
    }
    for place, held in (("in the origin's archive", archived), ("on the workstation", workstation)):
        missing = sum(uid not in held for uid in study.digests)
        changed = sum(uid in held and held[uid] != digest for uid, digest in study.digests.items())
        if missing:
            yield f"{missing} of {len(study.digests)} images are not {place}"
        if changed:
            yield f"{changed} of {len(study.digests)} images differ {place}"


def report_faults(study: MadeStudy, text: str | None, messages: list[bytes], archive: Path) -> Iterator[str]:
    """Whether the text is the same at the RIS (ORU^R01 messages) and in the SR in the origin's archive."""
    if text is None:
        yield "no report was written"
        return
    at_ris = {report_text(message) for message in messages if study.study_instance_uid.encode() in message}
    if at_ris != {text}:
        yield "the RIS has no report of it" if not at_ris else "the report's text differs at the RIS"
    documents = [dcmread(file) for file in (archive / study.study_instance_uid).glob("*/*.dcm")]
    texts = {_text(item) for item in documents if str(item.SOPClassUID).startswith(_SR_CLASSES)}
    if texts != {text}:
        yield "the archive has no SR of it" if not texts else "the report's text differs in the SR in the archive"


def report_text(message: bytes) -> str:
    r"""The text of an ORU^R01 in UTF-8: its FT and TX segments, with escape sequences resolved."""
    lines = []
    for segment in message.decode("utf-8").split("\r"):
        fields = segment.split("|")
        if fields[0] == "OBX" and fields[2] in {"FT", "TX"}:
            lines.append(re.sub(r"\\([FSTRE]|\.br)\\", lambda match: _UNESCAPES[match[1]], fields[5]))
    return "\n".join(lines)


def _text(item: Dataset) -> str:
    """Every text of a structured report's content tree."""
    texts = []
    for child in item.get("ContentSequence", []):
        if child.ValueType == "TEXT":
            texts.append(str(child.TextValue))
        texts.append(_text(child))
    return "\n".join(text for text in texts if text)
