"""What the text of a report may hold: any character that HL7 v2 and a DICOM structured report can both carry."""

import re

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")


def control_character(text: str) -> str | None:
    """The first control character that a report's text may not hold, as `U+000B`; None when there is none.

    DICOM text knows only TAB, LF, FF and CR (DICOM PS3.5 6.1.3); others would be lost or refused on the way.
    """
    found = _FORBIDDEN.search(text)
    return None if found is None else f"U+{ord(found[0]):04X}"
