"""The numbers of the index and of the flow, in one place: all may be set, none is a hard limit."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """Factors are of the index, 1.0 = indifferent; minutes are the clock's."""

    look_ahead_min: float = 1000.0
    """Urgency grows e-fold with each of these before the due time."""
    size_exponent: float = 0.7
    """Short reads first, softened: weight / expected minutes ** this."""
    late_factor: float = 0.05
    """A read that can no longer be in time counts this much: it does not block one that can."""
    ageing_min: float = 7 * 24 * 60.0
    """Urgency of a late read grows e-fold with each of these: nothing starves."""
    level_factors: tuple[float, ...] = (0.0, 0.8, 0.95, 1.0)
    """Speed by level in the subspecialty: none, general, special interest, specialist."""
    cross_trust_factor: float = 0.95
    """Reading for another trust is slower, and images must travel."""
    scarcity_exponent: float = 0.4
    """How strongly readers are kept for what few others can read."""
    match_exponent: float = 8.0
    """How strongly the reader's efficiency for the class counts."""
    fairness: float = 0.1
    """Logarithm taken off a reader whose session is full, against one whose session is empty."""
    price_factor: float = 0.02
    """Logarithm taken off for each unit of an outsourcer's price."""
    run_factor: float = 0.8
    """For one more read of a kind that the reader has had enough of in a row."""
    acute_session_routine: float = 0.5
    """Other work in an acute or on-call session."""
    other_session_acute: float = 0.7
    """Acute work in any other session: who sits there for it goes first; it still never waits for them."""
    overrun_factor: float = 0.4
    """For a read that would not be done before the session ends."""
    pressing_min: float = 8 * 60.0
    """Work due within about this time counts fully when it is judged who is scarce."""
    move_gain: float = 1.2
    """A read moves from one list to another only when the index grows by this factor."""
    list_length: int = 3
    """Reads on a pushed list at most, the one in hand included: binding late beats long lists."""
    planned_pair_gain: float = 1.5
    """For a pair of reader and class that the flow plans for now."""
    planned_read_gain: float = 1.2
    """For a read that the flow wants read now, whoever reads it."""
    blocks_min: tuple[float, ...] = (60, 60, 120, 120, 120, 240, 240, 480)
    """The flow's time blocks from now on; their sum is its horizon."""
    groups_per_class: int = 16
    """Reader groups that the flow considers for one class, the best ones."""
    flow_late_cost: float = 0.3
    """What leaving a late read for a day costs, as a share of a breach: it is tardiness only."""
    flow_after_horizon: float = 0.5
    """What leaving a read due just after the horizon costs, as a share of a breach; falls e-fold a day."""
    flow_acute_factor: float = 10.0
    """How much more a minute's delay of acute work weighs in the flow than a breach elsewhere."""
