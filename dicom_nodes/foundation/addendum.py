"""An addendum with the report it is added to, for whatever shows one text a study (HAZARDS 11).

A RIS, an archive or an endpoint that replaced the report by the addition alone would lose the report; one that showed
the second addition without the first would lose that. The router joins what stands, the origin's node adds the newest.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from dicom_nodes.foundation.spoken_name import spoken

_HOME = ZoneInfo("Europe/London")


def whole_text(standing: str, addition: str, name: str | None, registration: str | None, at: datetime) -> str:
    """The report that stands, a line that says who added what follows and when (local time), and the addition.

    `name` is DICOM PN with carets, or what its sender wrote.
    """
    local = at.astimezone(_HOME)
    number = f"({registration})" if registration else ""
    who = f"{spoken(name)} {number}".strip()
    head = f"Addendum{f' by {who}' if who else ''}, {local.day} {local:%B %Y, %H:%M %Z}:"
    return f"{standing.rstrip()}\n\n{head}\n{addition}"
