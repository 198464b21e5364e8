"""The page of a replay: every chart and table, escaped, and nothing from elsewhere."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

from readacross.replay_page import MOST_READERS, replay_page
from router.web.rule_messages import (
    AidView,
    ChangeView,
    CountedChangeView,
    DifferenceView,
    LateView,
    ReaderLoadView,
    ReplayView,
)

CHANGE = {"what": "required", "before": "-", "after": "RXN, <b>&\"'"}


def reader(number: int, after: int) -> ReaderLoadView:
    values = {"reads_before": 10, "reads_after": after, "minutes_before": 70.0, "minutes_after": 7.0 * after}
    return ReaderLoadView(reader_id=f"reader-{number:03}", **values)


REPLAY = ReplayView(
    version=7,
    baseline=None,
    considered=500,
    unmapped=4,
    cut=True,
    different=31,
    displaced=6,
    matches={"stroke": 30, "never": 0},
    failures={"never": 2},
    counts=[CountedChangeView(**CHANGE, studies=31)],
    studies=[
        DifferenceView(
            at=datetime(2026, 10, 3, 9, tzinfo=UTC),
            study_instance_uid="1.2.3",
            trust="RXN",
            rules=["stroke"],
            changes=[ChangeView(**CHANGE)],
            reader_before="reader-001",
            reader_after="reader-044",
        )
    ],
    readers=[reader(number, 10 + (number == 44)) for number in range(45)],
    late=[LateView(priority="urgent", before=12, after=3)],
    aid=[
        AidView(reader_trust="RXL", origin="RXN", minutes_before=800.0, minutes_after=900.0),
        AidView(reader_trust="RXN", origin="RXL", minutes_before=300.0, minutes_after=100.0),
    ],
    held_before=0,
    held_after=5,
    unread_before=1,
    unread_after=2,
)


class _Balanced(HTMLParser):
    """Every element that is opened is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(replay: ReplayView = REPLAY) -> str:
    return replay_page(replay, "October")


def test_the_page_has_a_chart_and_a_table_of_everything_that_changes() -> None:
    html = page()
    assert re.findall('data-chart="([a-z]+)"', html) == ["elsewhere", "reads", "minutes", "breaches", "aid"]
    cells = re.findall("<td>(.*?)</td>", html)
    for row in (
        ["reader-044", "10", "11", "70", "77"],
        ["late, urgent", "12", "3"],
        ["held by a rule", "0", "5"],
        ["RXL", "+500", "+800"],
        ["RXN", "-500", "-800"],
        ["never", "0", "2"],
        ["required: - → RXN, &lt;b&gt;&amp;&quot;&#x27;", "reader-001 → reader-044"],
    ):
        assert any(cells[at : at + len(row)] == row for at in range(len(cells))), row


def test_the_page_needs_nothing_from_elsewhere_and_is_well_formed() -> None:
    html = page()
    assert not re.search(r"<script|https?:|<link|src=|url\(|@import", html)
    assert "<b>" not in html
    parser = _Balanced()
    parser.feed(html)
    assert parser.open == []


def test_of_many_readers_those_whose_load_changes_most_are_drawn_and_all_are_in_the_table() -> None:
    html = page()
    chart = html[html.index('data-chart="reads"') : html.index('data-chart="minutes"')]
    assert chart.count('class="other"') == MOST_READERS
    assert "reader-044" in chart
    assert ">11</text>" in chart
    assert ("reader-044, before</text>" in chart, "reader-044, after</text>" in chart) == (True, True)
    assert "5 more readers, whose load changes less" in html
    assert len(re.findall(r"<td>reader-\d+</td>", html)) == 45


def test_a_replay_that_changes_nothing_says_so() -> None:
    html = page(REPLAY.model_copy(update={"counts": [], "studies": [], "aid": [], "different": 0}))
    assert "<p>Nothing.</p>" in html
    assert "No trust's readers would have read for another." in html.replace("&#x27;", "'")
