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
    """The newest journeys last; fits a terminal of 80 columns."""
    legend = "one dot a stop: " + ", ".join(heading for _, heading in _STOPS)
    table = Table(
        title="Readacross: studies on their way round", caption=f"{legend}\n{caption}", caption_justify="left", box=None
    )
    for heading in ("accession", "study", "images", "stops", "last"):
        table.add_column(heading, no_wrap=True, justify="right" if heading == "images" else "left")
    table.add_column("s", justify="right")
    for journey in journeys:
        study = journey.study
        seconds = f"{journey.seconds:.0f}" if journey.closed and journey.seconds is not None else ""
        name = f"{study.description} by {journey.channel}"
        table.add_row(study.accession_number, name, str(len(study.files)), _dots(journey), _last_stop(journey), seconds)
    return table


def _dots(journey: Journey) -> Text:
    marks = (("●", "green") if event in journey.events else ("·", "dim") for event, _ in _STOPS)
    return Text(" ").join(Text(*mark) for mark in marks)


def _last_stop(journey: Journey) -> str:
    passed = [heading for event, heading in _STOPS if event in journey.events]
    return passed[-1] if passed else "sent"
