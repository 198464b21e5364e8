"""Presentation context items of A-ASSOCIATE-RQ and -AC (DICOM PS3.8 9.3.2.2, 9.3.3.2)."""

from dataclasses import dataclass
from enum import IntEnum

from dicom_nodes.upper_layer.faults import invalid, unexpected
from dicom_nodes.upper_layer.pdu_types import ItemType, item, items, uid_of


class ContextResult(IntEnum):
    """Result/Reason (DICOM PS3.8 table 9-18)."""

    ACCEPTANCE = 0
    USER_REJECTION = 1
    NO_REASON = 2
    ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
    TRANSFER_SYNTAXES_NOT_SUPPORTED = 4


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """What a requester proposes; transfer syntaxes in its order of preference."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnsweredContext:
    """What an acceptor answers; `transfer_syntax` is significant only with acceptance."""

    id: int
    result: int
    transfer_syntax: str


def encode_proposed(context: ProposedContext) -> bytes:
    """The item of type 20H."""
    syntaxes = b"".join(item(ItemType.TRANSFER_SYNTAX, uid.encode("ascii")) for uid in context.transfer_syntaxes)
    abstract = item(ItemType.ABSTRACT_SYNTAX, context.abstract_syntax.encode("ascii"))
    return item(ItemType.PRESENTATION_CONTEXT_RQ, bytes((context.id, 0, 0, 0)) + abstract + syntaxes)


def encode_answered(context: AnsweredContext) -> bytes:
    """The item of type 21H."""
    syntax = item(ItemType.TRANSFER_SYNTAX, context.transfer_syntax.encode("ascii"))
    return item(ItemType.PRESENTATION_CONTEXT_AC, bytes((context.id, 0, context.result, 0)) + syntax)


def decode_proposed(content: bytes) -> ProposedContext:
    """Read what follows the header of an item of type 20H.

    Raises:
        PduFault: no single abstract syntax, no transfer syntax, or an id that cannot be.
    """
    context_id = _id(content)
    abstract: list[str] = []
    transfer: list[str] = []
    for item_type, value in items(content[4:]):
        if item_type == ItemType.ABSTRACT_SYNTAX:
            abstract.append(uid_of(value))
        elif item_type == ItemType.TRANSFER_SYNTAX:
            transfer.append(uid_of(value))
    if len(abstract) > 1:
        raise unexpected("a presentation context has more than one abstract syntax")
    if not abstract or not transfer:
        raise invalid("a presentation context lacks its abstract or transfer syntax")
    return ProposedContext(context_id, abstract[0], tuple(dict.fromkeys(transfer)))


def decode_answered(content: bytes) -> AnsweredContext:
    """Read what follows the header of an item of type 21H.

    Raises:
        PduFault: an accepted context without exactly one transfer syntax, or an id or result that cannot be.
    """
    context_id, result = _id(content), content[2]
    if result > ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED:
        raise invalid("a presentation context has an unknown result")
    if result != ContextResult.ACCEPTANCE:
        return AnsweredContext(context_id, result, "")
    transfer = [uid_of(value) for item_type, value in items(content[4:]) if item_type == ItemType.TRANSFER_SYNTAX]
    if len(transfer) != 1:
        raise invalid("an accepted presentation context does not have one transfer syntax")
    return AnsweredContext(context_id, result, transfer[0])


def _id(content: bytes) -> int:
    if len(content) < 4:
        raise invalid("a presentation context is cut short")
    if content[0] % 2 == 0:
        raise invalid("a presentation context id is even")
    return content[0]
