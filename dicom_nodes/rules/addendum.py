"""An addendum with the report it is added to, for whatever shows one text a study (HAZARDS 11).

A RIS, an archive or an endpoint that replaced the report by the addition alone would lose the report.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

_HOME = ZoneInfo("Europe/London")


def whole_text(standing: str, addition: str, author: str | None, at: datetime) -> str:
    """The report that stands, a line that says who added what follows and when (local time), and the addition."""
    local = at.astimezone(_HOME)
    who = f" by {author}" if author else ""
    return f"{standing.rstrip()}\n\nAddendum{who}, {local.day} {local:%B %Y, %H:%M %Z}:\n{addition}"
