"""What the text of a report may hold: any character that HL7 v2 and a DICOM structured report can both carry."""

_PERMITTED = {"\t", "\n", "\f", "\r"}


def control_character(text: str) -> str | None:
    """The first control character that a report's text may not hold, as `U+000B`; None when there is none.

    DICOM text knows only TAB, LF, FF and CR (DICOM PS3.5 6.1.3); others would be lost or refused on the way.
    """
    for character in text:
        if (character < " " or "\x7f" <= character <= "\x9f") and character not in _PERMITTED:
            return f"U+{ord(character):04X}"
    return None
