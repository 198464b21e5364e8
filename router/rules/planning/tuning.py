"""The numbers of the index and of planning ahead, in one place: all may be set, none is a hard limit."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """Factors are of the index, 1.0 = indifferent; minutes are the clock's."""

    look_ahead_min: float = 240.0
    """Urgency grows e-fold with each of these before the due time."""
    size_exponent: float = 0.0
    """Short reads first, softened: weight / expected minutes ** this. What is long makes room in the triage."""
    late_factor: float = 1e-5
    """A read that cannot be in time counts this much: like one that is due in 46 hours."""
    ageing_min: float = 7 * 24 * 60.0
    """Urgency of a late read grows e-fold with each of these: nothing starves."""
    level_factors: tuple[float, ...] = (0.0, 0.8, 0.95, 1.0)
    """Speed by level in the subspecialty: none, general, special interest, specialist."""
    cross_trust_factor: float = 0.95
    """Reading for another trust is slower, and images must travel."""
    scarcity_exponent: float = 0.4
    """How strongly readers are kept for what few others can read, while the region is not planned ahead."""
    match_exponent: float = 6.0
    """How strongly the reader's efficiency for the class counts."""
    fairness: float = 0.1
    """Logarithm taken off a reader whose session is full, against one whose session is empty."""
    price_factor: float = 0.02
    """Logarithm taken off for each unit of an outsourcer's price."""
    run_factor: float = 0.4
    """For one more read of a kind that the reader has had enough of in a row."""
    acute_session_routine: float = 0.5
    """Other work in an acute or on-call session."""
    other_session_acute: float = 0.7
    """Acute work in any other session: who sits there for it goes first; it still never waits for them."""
    cover_size_exponent: float = 1.0
    """Who covers emergencies reads short work: they wait for what is in hand (acute, on-call, out of hours)."""
    overrun_factor: float = 0.4
    """For a read that would not be done before the session ends."""
    pressing_min: float = 8 * 60.0
    """Work due within about this time counts fully when it is judged who is scarce."""
    move_gain: float = 1.2
    """A read moves from one list to another only when the index grows by this factor."""
    list_length: int = 3
    """Reads on a pushed list at most, the one in hand included: binding late beats long lists."""
    waste_exponent: float = 12.0
    """How strongly it counts that a pair wastes minutes which are scarce: a logarithm for each minute's worth."""
    horizon_min: float = 7 * 24 * 60.0
    """How far the region is planned ahead."""
    beyond_factor: float = 0.5
    """What a minute is worth that goes to work due after the horizon."""
    usable_share: float = 0.96
    """Of the sessions' minutes: the rest goes to slower pairs, and to the ends of sessions."""
