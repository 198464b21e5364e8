"""Names as people say them, from DICOM's components."""


def spoken(name: str | None) -> str:
    """DICOM PN (family^given^middle^prefix^suffix) as `Dr Ada Okafor`; empty where there is none."""
    parts = [part.strip() for part in (name or "").split("=")[0].split("^")]
    family, given, middle, prefix, suffix = [*parts, "", "", "", "", ""][:5]
    return " ".join(part for part in (prefix, given, middle, family, suffix) if part)
