"""The modality of an ORM^O01 without OBR-24: a NICIP code's first letter says it, another scheme's says nothing.

What the letter leaves open is the trust's to say, never guessed: X is CR or DX, and some trusts code PET under N.
"""

import re
from collections.abc import Mapping

from dicom_nodes.hl7.faults import ErrorCode
from dicom_nodes.hl7.message import Segment

_OF_LETTER = {"C": "CT", "M": "MR", "U": "US", "N": "NM", "F": "RF", "I": "XA"}
"""NICIP's modalities as DICOM's defined terms; the letters are local use, and unverified but for M."""
_X_RAY = ("CR", "DX")
_NICIP_CODE = re.compile(r"[A-Z]{2,6}")


def modality_of(obr: Segment, stations: Mapping[str, str]) -> str:
    """OBR-24, or what the NICIP code of OBR-4 says. `stations` are AE titles by modality, the preferred one first.

    Raises:
        Hl7Fault: neither says it.
    """
    return obr.value(24) or _of_letter(_nicip_letter(obr), obr, stations)


def _nicip_letter(obr: Segment) -> str:
    """Of the code or its alternative; empty where neither is of NICIP."""
    for code, scheme in ((1, 3), (4, 6)):
        if obr.value(4, scheme).upper() == "NICIP" and _NICIP_CODE.fullmatch(obr.value(4, code)):
            return obr.value(4, code)[0]
    return ""


def _of_letter(letter: str, obr: Segment, stations: Mapping[str, str]) -> str:
    modality = _OF_LETTER.get(letter, "")
    words = "modality is missing"
    if letter == "X":
        modality = next((named for named in stations if named in _X_RAY), "")
        words += "; the NICIP code's X may be CR or DX, expected a station for one of them in this node's settings"
    if letter == "N" and "PT" in stations:
        modality = ""
        words += "; the NICIP code's N may be NM or PT here"
    if not modality:
        raise obr.fault(24, words, ErrorCode.REQUIRED_FIELD_MISSING)
    return modality
