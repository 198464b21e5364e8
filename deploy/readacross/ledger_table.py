"""A study's ledger as a table for people."""

from rich.markup import escape
from rich.table import Table

from router.web.messages import EntryView, StudyTrace

_LONGEST_VALUE = 60


def ledger_table(trace: StudyTrace) -> Table:
    """Every step, oldest first, under the study, its trust, and who owns the next step."""
    now = f"{trace.state}, next step: {trace.owner}" if trace.state else "no read yet"
    title = f"{trace.trust}  accession {trace.accession_number or '(none)'}  {now}\n{trace.study_instance_uid}"
    table = Table("time (UTC)", "event", "by", "node", "detail", title=escape(title), title_justify="left")
    for entry in trace.entries:
        table.add_row(
            f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.event, escape(entry.actor), entry.node or "", escape(_detail(entry))
        )
    return table


def _detail(entry: EntryView) -> str:
    return "  ".join(f"{key}={_short(value)}" for key, value in entry.detail.items() if value not in (None, "", []))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
