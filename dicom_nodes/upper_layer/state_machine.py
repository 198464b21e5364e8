"""The association state machine of DICOM PS3.8 section 9.2 as tables: nothing is decided elsewhere.

`TRANSITIONS` is Table 9-10 row by row: an event in a state leads to an action; where a cell is empty in the standard,
the pair is absent. `EFFECTS` is what tables 9-6 to 9-9 say of each action. Two cells depend on more than the table:
AE-6 goes to Sta13 when the request cannot be accepted by the provider, AR-8 to Sta10 on the acceptor's side.
"""

from enum import Enum, IntEnum, StrEnum
from typing import NamedTuple


class State(IntEnum):
    """States (DICOM PS3.8 tables 9-1 to 9-5)."""

    IDLE = 1
    TRANSPORT_OPEN = 2
    AWAITING_ASSOCIATE_RESPONSE_PRIMITIVE = 3
    AWAITING_TRANSPORT = 4
    AWAITING_ASSOCIATE_PDU = 5
    ESTABLISHED = 6
    AWAITING_RELEASE_RP = 7
    AWAITING_RELEASE_PRIMITIVE = 8
    COLLISION_REQUESTOR_AWAITING_PRIMITIVE = 9
    COLLISION_ACCEPTOR_AWAITING_RP = 10
    COLLISION_REQUESTOR_AWAITING_RP = 11
    COLLISION_ACCEPTOR_AWAITING_PRIMITIVE = 12
    AWAITING_CLOSE = 13


class Event(IntEnum):
    """Events (DICOM PS3.8 table 9-10, left column); the number is that of `Evt`."""

    A_ASSOCIATE_REQUEST = 1
    TRANSPORT_CONFIRM = 2
    ASSOCIATE_AC = 3
    ASSOCIATE_RJ = 4
    TRANSPORT_INDICATION = 5
    ASSOCIATE_RQ = 6
    A_ASSOCIATE_ACCEPT = 7
    A_ASSOCIATE_REJECT = 8
    P_DATA_REQUEST = 9
    P_DATA_TF = 10
    A_RELEASE_REQUEST = 11
    RELEASE_RQ = 12
    RELEASE_RP = 13
    A_RELEASE_RESPONSE = 14
    A_ABORT_REQUEST = 15
    ABORT = 16
    TRANSPORT_CLOSED = 17
    ARTIM_EXPIRED = 18
    INVALID_PDU = 19


class Action(StrEnum):
    """Actions (DICOM PS3.8 tables 9-6 to 9-9)."""

    AE_1, AE_2, AE_3, AE_4 = "AE-1", "AE-2", "AE-3", "AE-4"
    AE_5, AE_6, AE_7, AE_8 = "AE-5", "AE-6", "AE-7", "AE-8"
    DT_1, DT_2 = "DT-1", "DT-2"
    AR_1, AR_2, AR_3, AR_4, AR_5 = "AR-1", "AR-2", "AR-3", "AR-4", "AR-5"
    AR_6, AR_7, AR_8, AR_9, AR_10 = "AR-6", "AR-7", "AR-8", "AR-9", "AR-10"
    AA_1, AA_2, AA_3, AA_4 = "AA-1", "AA-2", "AA-3", "AA-4"
    AA_5, AA_6, AA_7, AA_8 = "AA-5", "AA-6", "AA-7", "AA-8"


class Artim(Enum):
    """What an action does to the ARTIM timer (Association Request/Reject/Release Timer)."""

    START = "start"
    STOP = "stop"


class Effect(NamedTuple):
    """What an action does besides sending and indicating."""

    next_state: State
    artim: Artim | None = None
    aborts: bool = False
    """An A-ABORT PDU goes out."""


_A = Action
_AFTER_ASSOCIATION = (6, 7, 8, 9, 10, 11, 12)


def _abort_in(*states: int) -> dict[int, Action]:
    return dict.fromkeys(states, Action.AA_8)


_ROWS: dict[Event, dict[int, Action]] = {
    Event.A_ASSOCIATE_REQUEST: {1: _A.AE_1},
    Event.TRANSPORT_CONFIRM: {4: _A.AE_2},
    Event.ASSOCIATE_AC: {2: _A.AA_1, **_abort_in(3, *_AFTER_ASSOCIATION), 5: _A.AE_3, 13: _A.AA_6},
    Event.ASSOCIATE_RJ: {2: _A.AA_1, **_abort_in(3, *_AFTER_ASSOCIATION), 5: _A.AE_4, 13: _A.AA_6},
    Event.TRANSPORT_INDICATION: {1: _A.AE_5},
    Event.ASSOCIATE_RQ: {2: _A.AE_6, **_abort_in(3, 5, *_AFTER_ASSOCIATION), 13: _A.AA_7},
    Event.A_ASSOCIATE_ACCEPT: {3: _A.AE_7},
    Event.A_ASSOCIATE_REJECT: {3: _A.AE_8},
    Event.P_DATA_REQUEST: {6: _A.DT_1, 8: _A.AR_7},
    Event.P_DATA_TF: {2: _A.AA_1, **_abort_in(3, 5, 8, 9, 10, 11, 12), 6: _A.DT_2, 7: _A.AR_6, 13: _A.AA_6},
    Event.A_RELEASE_REQUEST: {6: _A.AR_1},
    Event.RELEASE_RQ: {2: _A.AA_1, **_abort_in(3, 5, 8, 9, 10, 11, 12), 6: _A.AR_2, 7: _A.AR_8, 13: _A.AA_6},
    Event.RELEASE_RP: {
        2: _A.AA_1, **_abort_in(3, 5, 6, 8, 9, 12), 7: _A.AR_3, 10: _A.AR_10, 11: _A.AR_3, 13: _A.AA_6
    },
    Event.A_RELEASE_RESPONSE: {8: _A.AR_4, 9: _A.AR_9, 12: _A.AR_4},
    Event.A_ABORT_REQUEST: {3: _A.AA_1, 4: _A.AA_2, **dict.fromkeys((5, *_AFTER_ASSOCIATION), _A.AA_1)},
    Event.ABORT: {2: _A.AA_2, **dict.fromkeys((3, 5, *_AFTER_ASSOCIATION), _A.AA_3), 13: _A.AA_2},
    Event.TRANSPORT_CLOSED: {2: _A.AA_5, **dict.fromkeys((3, 4, 5, *_AFTER_ASSOCIATION), _A.AA_4), 13: _A.AR_5},
    Event.ARTIM_EXPIRED: {2: _A.AA_2, 13: _A.AA_2},
    Event.INVALID_PDU: {2: _A.AA_1, **_abort_in(3, 5, *_AFTER_ASSOCIATION), 13: _A.AA_7},
}  # fmt: skip

TRANSITIONS: dict[tuple[Event, State], Action] = {
    (event, State(state)): action for event, cells in _ROWS.items() for state, action in cells.items()
}

EFFECTS: dict[Action, Effect] = {
    Action.AE_1: Effect(State.AWAITING_TRANSPORT),
    Action.AE_2: Effect(State.AWAITING_ASSOCIATE_PDU),
    Action.AE_3: Effect(State.ESTABLISHED),
    Action.AE_4: Effect(State.IDLE),
    Action.AE_5: Effect(State.TRANSPORT_OPEN, Artim.START),
    Action.AE_6: Effect(State.AWAITING_ASSOCIATE_RESPONSE_PRIMITIVE, Artim.STOP),
    Action.AE_7: Effect(State.ESTABLISHED),
    Action.AE_8: Effect(State.AWAITING_CLOSE, Artim.START),
    Action.DT_1: Effect(State.ESTABLISHED),
    Action.DT_2: Effect(State.ESTABLISHED),
    Action.AR_1: Effect(State.AWAITING_RELEASE_RP),
    Action.AR_2: Effect(State.AWAITING_RELEASE_PRIMITIVE),
    Action.AR_3: Effect(State.IDLE),
    Action.AR_4: Effect(State.AWAITING_CLOSE, Artim.START),
    Action.AR_5: Effect(State.IDLE, Artim.STOP),
    Action.AR_6: Effect(State.AWAITING_RELEASE_RP),
    Action.AR_7: Effect(State.AWAITING_RELEASE_PRIMITIVE),
    Action.AR_8: Effect(State.COLLISION_REQUESTOR_AWAITING_PRIMITIVE),
    Action.AR_9: Effect(State.COLLISION_REQUESTOR_AWAITING_RP),
    Action.AR_10: Effect(State.COLLISION_ACCEPTOR_AWAITING_PRIMITIVE),
    Action.AA_1: Effect(State.AWAITING_CLOSE, Artim.START, aborts=True),
    Action.AA_2: Effect(State.IDLE, Artim.STOP),
    Action.AA_3: Effect(State.IDLE),
    Action.AA_4: Effect(State.IDLE),
    Action.AA_5: Effect(State.IDLE, Artim.STOP),
    Action.AA_6: Effect(State.AWAITING_CLOSE),
    Action.AA_7: Effect(State.AWAITING_CLOSE, aborts=True),
    Action.AA_8: Effect(State.AWAITING_CLOSE, Artim.START, aborts=True),
}

PASSES_OVER_CONTENT = frozenset({Action.AA_1, Action.AA_6, Action.AA_7, Action.AA_8})
"""Actions for which it does not matter what the PDU says: its content need not be kept."""
