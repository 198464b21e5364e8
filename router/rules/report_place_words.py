"""What people are told of the place of an alert's report, and what they can truthfully confirm of it.

Every channel says the same. Nobody is sent to look for a report where it is not, and everybody hears whom to ring.
"""

from router.model.report_place import Place, Whereabouts

_NAMES = {"ris": "RIS", "archive": "archive (PACS)", "pdf": "archive (as PDF)", "fhir": "FHIR server"}
_TAKES_ON = "take responsibility for acting on it."


def where_it_is(at: Whereabouts) -> str:
    """One or two sentences; no patient data."""
    system = f"{at.origin}'s own system" if at.origin else "the trust's own system"
    why = f" Why: {at.why}." if at.why else ""
    ring = f" Ring {at.ring}"
    match at.place:
        case Place.FILED:
            owed = f" It has not reached the {_named(at.owed)}." if at.owed else ""
            return (
                f"The report has reached {system} ({_named(at.have)}): read it there.{owed} Not found? Ring {at.ring}."
            )
        case Place.ON_ITS_WAY:
            return f"The report is on its way to {system} and not yet filed there. Not found? Do not wait:{ring}."
        case Place.STUCK:
            return f"The report is NOT in {system}: not in its {_named(at.owed)}.{ring}; do not wait for it."
        case Place.KEPT:
            return f"The report is NOT in {system}, and this version is not sent there.{why}{ring}; do not wait for it."
        case Place.STOPPED:
            return f"The report is NOT in {system}: sending it was called off.{ring}; do not wait for it."
        case Place.HELD:
            return (
                f"The report is of this study for certain, but it is held for a person and NOT in {system}, whose team "
                f"has NOT been told.{why}{ring}, and tell {at.origin} by telephone."
            )
        case Place.UNMATCHED:
            return (
                "The report is not matched to a study of the network yet, so its patient's team has NOT been told and "
                f"it is in no trust's own system.{why} Find it with `readacross held list`, and deal with it by "
                f"telephone.{ring}."
            )
        case Place.UNWRITTEN:
            return f"There is no report in {system} yet: the alert was raised before it was written.{ring}."
        case Place.REFUSED:
            return f"What came as the report could not be taken, and is NOT in {system}.{ring}; do not wait for it."


def confirmation(place: Place) -> str:
    """What the page's tick says: true of whoever has done what `where_it_is` asks."""
    match place:
        case Place.FILED:
            return f"I have read the report in my own system and {_TAKES_ON}"
        case Place.ON_ITS_WAY:
            return f"I have read the report, or have been told what it says by whoever wrote it, and {_TAKES_ON}"
        case Place.HELD:
            return "I take responsibility for the patient's team being told what the report says."
        case Place.UNMATCHED:
            return "I take responsibility for finding out whose report this is, and for telling that patient's team."
        case _:
            return f"I have been told, or will find out by telephone now, what was found, and {_TAKES_ON}"


def _named(channels: tuple[str, ...]) -> str:
    return ", ".join(words for channel, words in _NAMES.items() if channel in channels)
