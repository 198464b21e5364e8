"""Results as tables, for a terminal and as markdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table as RichTable


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text; the first column stands to the left, the others to the right. None is a line between rows."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str] | None]
    left: int = 1
    """How many columns hold words."""

    def for_terminal(self) -> RichTable:
        table = RichTable(
            title=self.title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
        )
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="left" if number < self.left else "right", no_wrap=True)
        for row in self.rows:
            if row is None:
                table.add_section()
            else:
                table.add_row(*row)
        return table

    def as_markdown(self) -> str:
        head = [f"**{self.title}**", "", _line(self.columns)]
        rule = _line([":--" if number < self.left else "--:" for number in range(len(self.columns))])
        return "\n".join([*head, rule, *(_line(row) for row in self.rows if row is not None)]) + "\n"


def number(value: Any, digits: int = 0, unit: str = "") -> str:
    """A figure for a cell; a dot where there is none."""
    return "·" if value is None else f"{value:,.{digits}f}{unit}"


def times(value: float | None) -> str:
    """A ratio for a cell."""
    return "·" if value is None else f"{value:.2f}×" if value < 10 else f"{value:.0f}×"


def mark(reached: bool) -> str:
    """Whether a goal is reached."""
    return "✓" if reached else "✗"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
