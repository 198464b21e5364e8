"""What is agreed, from what is proposed and answered."""

from dataclasses import replace

from dicom_nodes.upper_layer.association_pdus import AssociateAccept, AssociateReject, encode_reject, encode_request
from dicom_nodes.upper_layer.negotiation import answer_contexts, answer_roles, negotiated_contexts, preferred
from dicom_nodes.upper_layer.presentation_contexts import AnsweredContext, ContextResult, ProposedContext
from dicom_nodes.upper_layer.state_machine import State
from dicom_nodes.upper_layer.user_information import RoleSelection, UserInformation
from tests.unit.upper_layer.wire import CT, EXPLICIT, IMPLICIT, MR, REQUEST, acceptor


def answer(*contexts: AnsweredContext, roles: tuple[RoleSelection, ...] = ()) -> AssociateAccept:
    return AssociateAccept("NODE", "CT1", contexts, UserInformation(0, roles=roles))


def agreed(accept: AssociateAccept, *roles: RoleSelection) -> list[tuple[int, str, bool, bool]]:
    request = replace(REQUEST, user_information=UserInformation(0, roles=roles))
    contexts = negotiated_contexts(request, accept)
    return [(c.id, c.transfer_syntax, c.requester_is_scu, c.requester_is_scp) for c in contexts]


def test_each_proposed_context_is_answered() -> None:
    def select(context: ProposedContext) -> str | ContextResult:
        return EXPLICIT if context.abstract_syntax == CT else ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED

    assert answer_contexts(REQUEST.contexts, select) == (
        AnsweredContext(1, 0, EXPLICIT),
        AnsweredContext(3, 3, IMPLICIT),
    )


def test_what_was_not_proposed_is_not_agreed() -> None:
    accept = answer(AnsweredContext(1, 0, "1.2.840.10008.1.2.4.50"), AnsweredContext(5, 0, IMPLICIT))

    assert agreed(accept) == []
    assert agreed(answer(AnsweredContext(1, 4, ""), AnsweredContext(3, 0, IMPLICIT))) == [(3, IMPLICIT, True, False)]


def test_a_role_is_what_was_asked_for_and_granted() -> None:
    contexts = AnsweredContext(1, 0, EXPLICIT), AnsweredContext(3, 0, IMPLICIT)
    scp = RoleSelection(CT, scu=False, scp=True)
    both = RoleSelection(CT, scu=True, scp=True)

    assert agreed(answer(*contexts, roles=(scp,)), scp)[0] == (1, EXPLICIT, False, True)
    assert agreed(answer(*contexts, roles=(both,)), scp)[0] == (1, EXPLICIT, False, True)
    assert agreed(answer(*contexts, roles=(scp,)), both)[0] == (1, EXPLICIT, False, True)
    assert agreed(answer(*contexts), scp)[0] == (1, EXPLICIT, True, False)
    assert agreed(answer(*contexts, roles=(both,)))[0] == (1, EXPLICIT, True, False)


def test_we_grant_a_role_only_where_it_makes_sense() -> None:
    asked = RoleSelection(CT, True, True), RoleSelection(MR, False, True)
    request = replace(REQUEST, user_information=UserInformation(0, roles=asked))

    assert answer_roles(request, lambda uid: uid == CT) == (
        RoleSelection(CT, True, True),
        RoleSelection(MR, False, False),
    )


def test_the_requesters_first_wish_counts_unless_another_is_wanted_more() -> None:
    assert preferred([IMPLICIT, EXPLICIT], lambda uid: True) == IMPLICIT
    assert preferred([IMPLICIT, EXPLICIT], lambda uid: uid == EXPLICIT) == EXPLICIT
    assert preferred([IMPLICIT], lambda uid: False) == IMPLICIT
    assert preferred([], lambda uid: True) is None


def test_a_request_of_another_protocol_version_is_rejected_by_the_provider() -> None:
    called = acceptor()

    called.take(encode_request(replace(REQUEST, protocol_version=2)))

    assert called.sent() == encode_reject(AssociateReject(1, 2, 2))
    assert REQUEST not in called.events
    assert called.upper.state is State.AWAITING_CLOSE
