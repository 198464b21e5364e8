"""Each study's way as a row of a live table, taken from the router's ledger."""

from dataclasses import dataclass, field

from rich.table import Table
from rich.text import Text

from readacross.demo.images import MadeStudy
from router.web.messages import StudyTrace

_STOPS = (
    ("study.settled", "settled"),
    ("study.archived", "in PACS"),
    ("read.assigned", "assigned"),
    ("images.delivered", "at reader"),
    ("read.claimed", "reading"),
    ("read.verified", "reported"),
    ("read.delivered", "RIS: AA"),
    ("read.closed", "closed"),
)
_ENDS = {"CLOSED", "FAILED", "CANCELLED"}


@dataclass
class Journey:
    """A study on its way; `trace` is what the router last said of it."""

    study: MadeStudy
    channel: str
    trace: StudyTrace | None = None
    trouble: list[str] = field(default_factory=list)

    @property
    def events(self) -> set[str]:
        return {entry.event for entry in self.trace.entries} if self.trace else set()

    @property
    def ended(self) -> bool:
        return self.trace is not None and self.trace.state in _ENDS

    @property
    def closed(self) -> bool:
        return self.trace is not None and self.trace.state == "CLOSED"

    @property
    def seconds(self) -> float | None:
        """From the first to the last step in the ledger."""
        if self.trace is None or not self.trace.entries:
            return None
        return (self.trace.entries[-1].at - self.trace.entries[0].at).total_seconds()


def journey_table(journeys: list[Journey], caption: str) -> Table:
    """The newest journeys last."""
    table = Table(title="Readacross: studies on their way round", caption=caption, caption_justify="left")
    for heading in ("accession", "study", "images"):
        table.add_column(heading, no_wrap=True)
    for _, heading in _STOPS:
        table.add_column(heading, justify="center")
    table.add_column("s", justify="right")
    for journey in journeys:
        study, events = journey.study, journey.events
        marks = [Text("●", "green") if event in events else Text("·", "dim") for event, _ in _STOPS]
        seconds = f"{journey.seconds:.0f}" if journey.closed and journey.seconds is not None else ""
        name = f"{study.description} by {journey.channel}"
        table.add_row(study.accession_number, name, str(len(study.files)), *marks, seconds)
    return table
