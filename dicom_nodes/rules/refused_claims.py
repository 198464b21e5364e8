"""What of a refused report's claims may be believed, and told to the router: never more than it can understand.

A fact that the router does not understand tells nobody of an alert (HAZARDS 12), so what is too long is left out and
counts as unseen.
"""

from collections.abc import Iterable

from dicom_nodes.model.report import AlertCode, ClaimedIdentity, RefusedClaims

LONGEST_CODE = 64
_MOST_CODES = 100
_LONGEST_UID = 64
_LONGEST_NUMBER = 256
"""What is longer identifies nothing."""


def claims(
    found: Iterable[AlertCode | None], identity: ClaimedIdentity | None, *, changes: bool, whole: bool = True
) -> RefusedClaims:
    """`found` are the codes, None for each that cannot be read; not `whole`: a part of the original was not seen."""
    each = tuple(dict.fromkeys(found))
    codes = tuple(code for code in each if code is not None)
    believed = identity if identity is not None and _is_short(identity) else None
    is_all = whole and None not in each and len(codes) <= _MOST_CODES
    return RefusedClaims(codes[:_MOST_CODES], believed, is_all, changes)


def is_plain(text: str) -> bool:
    """Whether it can be a code, or the name of a scheme."""
    return len(text) <= LONGEST_CODE and all(" " <= character < "\x7f" for character in text)


def may_add(original: bytes) -> bool:
    """Whether a report may be an addendum, by its code (LOINC) or by the word."""
    return b"55107-7" in original or b"addendum" in original.lower()


def _is_short(claimed: ClaimedIdentity) -> bool:
    numbers = (claimed.accession_number, claimed.accession_issuer, claimed.patient_id, claimed.patient_id_issuer)
    limits = [(claimed.study_instance_uid, _LONGEST_UID)]
    limits += [(number, _LONGEST_NUMBER) for number in (*numbers, claimed.nhs_number)]
    return all(said is None or (len(said) <= longest and "\x00" not in said) for said, longest in limits)
