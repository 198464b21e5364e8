"""The status of one report from OBR-25 and OBX-11 (HL7 tables 0123 and 0085): P, F, C or X, never further than stated.

`A` (some, not all, results are here) is preliminary, unless the text is an addendum: then it is final.
"""

from collections.abc import Sequence

from dicom_nodes.hl7.faults import ErrorCode
from dicom_nodes.hl7.message import Segment

_STATUSES = {"P", "F", "C", "X", "A"}
_SHOWN_AS_VALID = {"", "F", "C", "U", "O"}
"""OBX-11 of text that may stand in a final or corrected report; O is a detail of the order."""
_UNFINISHED = {"P", "R", "S", "I"}


def read_status(orders: Sequence[Segment], texts: Sequence[Segment], *, addendum: bool) -> str:
    """OBR-25, or OBX-11 where it is absent; never final when any part of the text is not (HAZARDS 10).

    Raises:
        Hl7Fault: none, one that is not known, two that differ, or text that is unfinished, deleted or wrong.
    """
    stated = [(order, 25) for order in orders if order.value(25)] or [(text, 11) for text in texts if text.value(11)]
    if not stated:
        raise orders[0].fault(25, "status is missing, also in OBX-11", ErrorCode.REQUIRED_FIELD_MISSING)
    first, field = stated[0]
    status = first.value(field)
    for other, other_field in stated:
        if other.value(other_field) not in _STATUSES:
            raise other.fault(other_field, "expected status P, F, C, A or X", ErrorCode.TABLE_VALUE)
        if other.value(other_field) != status:
            raise other.fault(other_field, "contradicts the status stated before it", ErrorCode.TABLE_VALUE)
    if status == "A":
        status = "F" if addendum else "P"
    _check_texts(texts, status, addendum)
    return status


def _check_texts(texts: Sequence[Segment], status: str, addendum: bool) -> None:
    if status == "X":
        return
    allowed = _SHOWN_AS_VALID | (_UNFINISHED | {"A"} if status == "P" else set()) | ({"A"} if addendum else set())
    for text in texts:
        stated = text.value(11)
        if stated in _UNFINISHED and stated not in allowed:
            raise text.fault(11, "preliminary, while OBR-25 says otherwise", ErrorCode.TABLE_VALUE)
        if stated not in allowed:
            words = "text that is deleted, wrong or not there would be shown as valid; expected status F, C or P"
            raise text.fault(11, words, ErrorCode.TABLE_VALUE)
