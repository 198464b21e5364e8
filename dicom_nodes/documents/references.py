"""What a content item points to, in words: images with their frames, regions, waveforms, other items (PS3.3 C.18)."""

from pydicom.uid import UID

from dicom_nodes.documents.elements import Item

REFERENCES = {
    "IMAGE": "Image",
    "COMPOSITE": "Document",
    "WAVEFORM": "Waveform",
    "SCOORD": "Region",
    "SCOORD3D": "Region",
    "TCOORD": "Times",
}
"""What an item of this value type is called where it has no name of its own."""


def told_reference(item: Item, kind: str) -> str:
    """Which instance, or what kind of region; the coordinates themselves stay in the kept original."""
    if kind in {"SCOORD", "SCOORD3D"}:
        return f"marked ({item.text('GraphicType') or 'unknown shape'})"
    if kind == "TCOORD":
        return f"marked ({item.text('TemporalRangeType') or 'unknown range'})"
    if not kind:
        return "another item of this document"
    told = [_instance(reference) for reference in item.items("ReferencedSOPSequence")]
    return "; ".join(told) or "not said which"


def _instance(reference: Item) -> str:
    name = UID(reference.text("ReferencedSOPClassUID")).name.removesuffix(" Storage")
    instance = f"{name} {reference.text('ReferencedSOPInstanceUID')}".strip()
    frames = ", ".join(reference.text("ReferencedFrameNumber").split("\\"))
    return f"{instance} (frame {frames})" if frames else instance
