"""What an acceptor answers to a proposal, and what a requester may use of the answer (DICOM PS3.7 annex D, PS3.8 7.1).

Which syntaxes and roles are wanted is the application's to say; the arithmetic is here.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dicom_nodes.upper_layer.association_pdus import AssociateAccept, AssociateRequest
from dicom_nodes.upper_layer.presentation_contexts import AnsweredContext, ContextResult, ProposedContext
from dicom_nodes.upper_layer.user_information import RoleSelection

Select = Callable[[ProposedContext], "str | ContextResult"]
"""The transfer syntax to accept, or why none is."""


@dataclass(frozen=True, slots=True)
class NegotiatedContext:
    """An accepted presentation context; roles are the requester's (DICOM PS3.7 D.3.3.4)."""

    id: int
    abstract_syntax: str
    transfer_syntax: str
    requester_is_scu: bool = True
    requester_is_scp: bool = False


def answer_contexts(proposed: Iterable[ProposedContext], select: Select) -> tuple[AnsweredContext, ...]:
    """An answer for each proposed context, in the order proposed."""
    return tuple(_answer(context, select(context)) for context in proposed)


def answer_roles(request: AssociateRequest, may_be_scp: Callable[[str], bool]) -> tuple[RoleSelection, ...]:
    """What we grant of each role asked for: SCU always, SCP where `may_be_scp` says so."""
    return tuple(
        RoleSelection(role.sop_class_uid, role.scu, role.scp and may_be_scp(role.sop_class_uid))
        for role in request.user_information.roles
    )


def negotiated_contexts(request: AssociateRequest, accept: AssociateAccept) -> tuple[NegotiatedContext, ...]:
    """What both sides agreed on, in the order proposed.

    An answer to something that was not proposed, or with another transfer syntax than those proposed, is not agreed.
    A role is what was asked for and granted; without both, the requester is SCU only.
    """
    answers = {answer.id: answer for answer in accept.contexts if answer.result == ContextResult.ACCEPTANCE}
    asked = {role.sop_class_uid: role for role in request.user_information.roles}
    granted = {role.sop_class_uid: role for role in accept.user_information.roles}
    contexts: list[NegotiatedContext] = []
    for proposed in request.contexts:
        answer = answers.get(proposed.id)
        if answer is None or answer.transfer_syntax not in proposed.transfer_syntaxes:
            continue
        uid = proposed.abstract_syntax
        scu, scp = _roles(asked.get(uid), granted.get(uid))
        contexts.append(NegotiatedContext(proposed.id, uid, answer.transfer_syntax, scu, scp))
    return tuple(contexts)


def preferred(offered: Sequence[str], is_wanted: Callable[[str], bool]) -> str | None:
    """The first that is wanted, otherwise the first; the requester's order is its preference."""
    return next(filter(is_wanted, offered), offered[0] if offered else None)


def _answer(context: ProposedContext, selected: str | ContextResult) -> AnsweredContext:
    if isinstance(selected, ContextResult):
        return AnsweredContext(context.id, selected, context.transfer_syntaxes[0])
    return AnsweredContext(context.id, ContextResult.ACCEPTANCE, selected)


def _roles(asked: RoleSelection | None, granted: RoleSelection | None) -> tuple[bool, bool]:
    if asked is None or granted is None:
        return True, False
    return asked.scu and granted.scu, asked.scp and granted.scp
