"""What an order asks besides its procedure: how soon, why, who asks, and whom to tell of a critical finding.

Where a site says suspected cancer or a pathway is local use and unverified here: which codes mean it, in any of the
priority fields (TQ1-9, ORC-7.6, OBR-27.6, OBR-5) or the reason for the study (OBR-31), is the trust's setting.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dicom_nodes.hl7.message import Field, Segment
from dicom_nodes.model.procedure import OrderDetails, OrderPatient, Urgency

_URGENCIES: Mapping[str, Urgency] = {
    "S": "stat",
    "A": "urgent",
    "C": "urgent",
    "P": "soon",
    "T": "soon",
    "R": "routine",
}
"""HL7 TQ-6 / TQ1-9."""
_REGISTRATION = re.compile(r"[A-Z]{1,4}[0-9]{5,8}")


@dataclass(frozen=True, slots=True)
class OrderCodes:
    """Codes of this trust: those that mean suspected cancer, and those that name a pathway."""

    suspected_cancer: tuple[str, ...] = ()
    pathways: Mapping[str, str] | None = None


NO_CODES = OrderCodes()


def read_details(
    orc: Segment, obr: Segment | None, timing: Sequence[Segment], patient: OrderPatient, codes: OrderCodes
) -> OrderDetails:
    """What one ORC group says; fields that are empty stay None."""
    stated = list(_stated(orc, obr, timing))
    pathways = codes.pathways or {}
    referrer = orc.first(12) if orc.value(12) or obr is None else obr.first(16)
    return OrderDetails(
        patient=patient,
        urgency=next((_URGENCIES[code] for code in stated if code in _URGENCIES), None),
        suspected_cancer=any(code in codes.suspected_cancer for code in stated),
        pathway=next((pathways[code] for code in stated if code in pathways), None),
        clinical_question="; ".join(_questions(obr)) or None if obr is not None else None,
        referrer_name=_name(referrer),
        referrer_registration=_registration(referrer),
        referrer_contact=_contact(orc, 14),
        critical_contact=None if obr is None else _contact(obr, 17),
    )


def _stated(orc: Segment, obr: Segment | None, timing: Sequence[Segment]) -> Iterator[str]:
    """Codes of priority and reason, the most particular field first; TQ1-9 may hold several."""
    for segment in timing:
        yield from (one.component(1) for one in segment.repetitions(9))
    yield orc.value(7, 6)
    if obr is not None:
        yield obr.value(27, 6)
        yield obr.value(5)
        yield from (one.component(1) for one in obr.repetitions(31))


def _questions(obr: Segment) -> Iterator[str]:
    """Relevant clinical information (OBR-13) and reason for study (OBR-31), each once."""
    said = [obr.value(13), *(one.component(2) or one.component(1) for one in obr.repetitions(31))]
    yield from dict.fromkeys(text for text in said if text)


def _name(xcn: Field) -> str | None:
    """Family and given name of an XCN."""
    return ", ".join(part for part in (xcn.component(2), xcn.component(3)) if part) or None


def _registration(xcn: Field) -> str | None:
    number = xcn.component(1)
    return number if _REGISTRATION.fullmatch(number) else None


def _contact(segment: Segment, field: int) -> str | None:
    """XTN: the number or address as written (XTN.1), or its e-mail address (XTN.4)."""
    return segment.value(field) or segment.value(field, 4) or None
