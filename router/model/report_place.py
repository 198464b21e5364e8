"""How far the report behind an alert has come on its way to the systems of the trust that made the images."""

import enum
from dataclasses import dataclass


class Place(enum.StrEnum):
    """FILED: some system of the trust has it. KEPT: accepted, and by rule not sent. STOPPED: called off by a person.

    HELD: of this study for certain, and waiting for a person. UNMATCHED: whose it is is not known. UNWRITTEN: the alert
    was raised before there was a report. REFUSED: what came as a report could not be taken.
    """

    FILED = "filed"
    ON_ITS_WAY = "on its way"
    STUCK = "stuck"
    KEPT = "kept"
    STOPPED = "stopped"
    HELD = "held"
    UNMATCHED = "unmatched"
    UNWRITTEN = "unwritten"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """`origin` made the images, as far as that is known. `have` and `owed` are channels of its return.

    `ring` is who wrote or sent it, in words; `why` holds no patient data.
    """

    place: Place
    ring: str
    origin: str | None = None
    have: tuple[str, ...] = ()
    owed: tuple[str, ...] = ()
    why: str | None = None
