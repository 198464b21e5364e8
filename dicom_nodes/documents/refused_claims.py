"""What a refused document still says of alerts, and of whom: the report waits for a person, its alert does not.

Never fails. Codes are found wherever they stand in the tree; of the identity all is believed or nothing (ADR 122, 130).
"""

from collections.abc import Iterator

from dicom_nodes.documents.content import code_value
from dicom_nodes.documents.elements import Item, read_items
from dicom_nodes.documents.reading import hospital_number
from dicom_nodes.encoding.header import read_header
from dicom_nodes.encoding.walk import DamagedDataSetError
from dicom_nodes.model.errors import CannotUnderstand
from dicom_nodes.model.report import AlertCode, ClaimedIdentity, RefusedClaims
from dicom_nodes.rules.refused_claims import claims, is_plain, may_add

_SEQUENCES_OF_CODES = ("ConceptCodeSequence", "EquivalentCodeSequence")


def claims_of_document(data_set: bytes, transfer_syntax_uid: str) -> RefusedClaims:
    """The codes and the identity of a document; one that is damaged was not looked through."""
    try:
        document = read_items(data_set, transfer_syntax_uid)
    except (DamagedDataSetError, CannotUnderstand):
        return RefusedClaims(looked_through=False)
    changes = bool(document.raw("PredecessorDocumentsSequence")) or may_add(document.data)
    return claims(_codes(document), _identity(data_set, transfer_syntax_uid, document), changes=changes)


def _codes(item: Item) -> Iterator[AlertCode | None]:
    """Every coded value, as deep as the tree goes: the data set was walked, so that has an end; None: unreadable."""
    for keyword in _SEQUENCES_OF_CODES:
        for coded in _items(item, keyword):
            if coded is None:
                yield None
                continue
            yield _code(coded)
            yield from _codes(coded)
    for child in _items(item, "ContentSequence"):
        if child is None:
            yield None
        else:
            yield from _codes(child)


def _items(item: Item, keyword: str) -> list[Item] | list[None]:
    try:
        return item.items(keyword)
    except (CannotUnderstand, DamagedDataSetError):
        return [None]


def _code(coded: Item) -> AlertCode | None:
    try:
        value, scheme = code_value(coded), coded.text("CodingSchemeDesignator")
    except CannotUnderstand:
        return None
    return AlertCode(value, scheme) if value and is_plain(value) and is_plain(scheme) else None


def _identity(data_set: bytes, transfer_syntax_uid: str, document: Item) -> ClaimedIdentity | None:
    try:
        header = read_header(data_set, transfer_syntax_uid)
        patient_id, issuer = hospital_number(header, document)
    except (DamagedDataSetError, CannotUnderstand):
        return None
    return ClaimedIdentity(
        study_instance_uid=header.study_instance_uid or None,
        accession_number=header.accession_number,
        accession_issuer=header.accession_issuer,
        patient_id=patient_id,
        patient_id_issuer=issuer,
        nhs_number=header.nhs_number,
        birth_date=header.birth_date,
    )
