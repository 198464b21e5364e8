"""A study's ledger as a table for people: one line a step where the terminal is wide enough."""

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from router.web.messages import EntryView, StudyTrace

_LONGEST_VALUE = 60
_LONGEST_DIGEST = 12


def ledger_table(trace: StudyTrace) -> Table:
    """Every step, oldest first, under the study, its trust, and who owns the next step."""
    now = f"{trace.state}, next step: {trace.owner}" if trace.state else "no read yet"
    now += f"; second read {trace.second_read}" if trace.second_read else ""
    title = f"{trace.trust}  accession {trace.accession_number or '(none)'}  {now}\n{trace.study_instance_uid}"
    table = Table(box=None, title=escape(title), title_justify="left", pad_edge=False, header_style="dim")
    for heading in ("time (UTC)", "step", "by"):
        table.add_column(heading, no_wrap=True)
    table.add_column("detail", overflow="fold")
    day = ""
    for entry in trace.entries:
        date = f"{entry.at:%Y-%m-%d}"
        if date != day:
            table.add_row(f"[dim]{date}[/]", "", "", "")
            day = date
        table.add_row(f"{entry.at:%H:%M:%S}", entry.event, escape(_by(entry)), escape(_detail(entry.detail)))
    return table


def _by(entry: EntryView) -> str:
    return entry.actor if not entry.node or entry.node in entry.actor else f"{entry.actor}, for {entry.node}"


def _detail(detail: Mapping[str, object]) -> str:
    said = {key: value for key, value in detail.items() if value not in (None, "", [])}
    parts = []
    if "to" in said:
        before, after = said.pop("from", None), said.pop("to")
        parts.append(f"{before} → {after}" if before else f"{after}")
    return ", ".join(parts + [f"{key} {_short(key, value)}" for key, value in said.items()])


def _short(key: str, value: object) -> str:
    text = "; ".join(_plain(part) for part in value) if isinstance(value, list) else str(value)
    longest = _LONGEST_DIGEST if key.endswith("sha256") or key == "session" else _LONGEST_VALUE
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _plain(part: object) -> str:
    return " ".join(map(str, part.values())) if isinstance(part, Mapping) else str(part)
