"""A replay as one self-contained HTML page: charts of before and after, and the diff tables; no scripts, no links."""

from collections.abc import Iterable
from html import escape
from importlib.resources import files
from math import inf

from readacross.rules_tables import reader_in_words
from router.simulate.charts import Bar, bar_chart
from router.web.rule_messages import AidView, ReaderLoadView, ReplayView

MOST_READERS = 40
"""Bars of more readers are no picture: those whose load changes most are shown."""
_LONGEST = 42
"""Letters that fit beside a bar."""


def replay_page(replay: ReplayView, period: str) -> str:
    """The page; `period` is said in its heading."""
    against = "the exam table alone" if replay.baseline is None else f"rule set {replay.baseline}"
    title = f"Rule set {replay.version} against {against}"
    cut = " (the last ones of the period)" if replay.cut else ""
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(period)}: {replay.considered} studies{cut}, {replay.unmapped} of them not in the exam table. "
        f"<strong>{replay.different}</strong> would have been routed otherwise.</p>",
        '<p class="note">Grey is before, blue is by the new version. Loads, breaches and aid are what a plain planner '
        "would have made of both over the same arrivals and sessions: to be compared with each other, no forecast.</p>",
        _elsewhere(replay),
        _loads(replay.readers),
        _breaches(replay),
        _aid(replay.aid),
        _rules(replay),
        _studies(replay),
    ]
    style = files("router.simulate").joinpath("page.css").read_text(encoding="utf-8")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{style}</style></head>'
        f"<body>{''.join(body)}</body></html>\n"
    )


def _elsewhere(replay: ReplayView) -> str:
    rows = [(one.what, one.before, one.after, str(one.studies)) for one in replay.counts]
    bars = [Bar(_short(f"{one.what}: {one.before} → {one.after}"), one.studies, inf, own=True) for one in replay.counts]
    return _part(
        "What would have gone elsewhere",
        _chart("Studies", "elsewhere", bars) if bars else "<p>Nothing.</p>",
        _table(("", "before", "after", "studies"), rows),
    )


def _loads(readers: list[ReaderLoadView]) -> str:
    shown = sorted(readers, key=lambda r: (-abs(r.minutes_after - r.minutes_before), r.reader_id))[:MOST_READERS]
    shown.sort(key=lambda r: r.reader_id)
    left = len(readers) - len(shown)
    rows = [
        (r.reader_id, str(r.reads_before), str(r.reads_after), _round(r.minutes_before), _round(r.minutes_after))
        for r in readers
    ]
    return _part(
        "Load of each reader",
        _chart("Reads", "reads", _pairs((r.reader_id, r.reads_before, r.reads_after) for r in shown)),
        _chart(
            "Minutes of reading", "minutes", _pairs((r.reader_id, r.minutes_before, r.minutes_after) for r in shown)
        ),
        f'<p class="note">{left} more readers, whose load changes less, are in the table only.</p>' if left else "",
        _table(("reader", "reads before", "after", "minutes before", "after"), rows),
    )


def _breaches(replay: ReplayView) -> str:
    told = [(f"late, {one.priority}", one.before, one.after) for one in replay.late]
    told += [
        ("held by a rule", replay.held_before, replay.held_after),
        ("unread at the end", replay.unread_before, replay.unread_after),
    ]
    rows = [(words, str(before), str(after)) for words, before, after in told]
    chart = _chart("Reads", "breaches", _pairs((words, float(before), float(after)) for words, before, after in told))
    return _part("Expected breaches", chart, _table(("", "before", "after"), rows))


def _aid(aid: list[AidView]) -> str:
    if not aid:
        return _part("Mutual aid", "<p>No trust's readers would have read for another.</p>")
    trusts = sorted({pair.reader_trust for pair in aid} | {pair.origin for pair in aid})
    rows = [(pair.reader_trust, pair.origin, _round(pair.minutes_before), _round(pair.minutes_after)) for pair in aid]
    balance = [
        (
            trust,
            _signed(sum(_sign(pair, trust) * pair.minutes_before for pair in aid)),
            _signed(sum(_sign(pair, trust) * pair.minutes_after for pair in aid)),
        )
        for trust in trusts
    ]
    bars = _pairs((f"{p.reader_trust} for {p.origin}", p.minutes_before, p.minutes_after) for p in aid)
    return _part(
        "Mutual aid",
        _chart("Minutes read for other trusts", "aid", bars),
        _table(("readers of", "read for", "minutes before", "after"), rows),
        "<h3>Balance: minutes given less minutes taken</h3>",
        _table(("trust", "before", "after"), balance),
    )


def _sign(pair: AidView, trust: str) -> int:
    return (pair.reader_trust == trust) - (pair.origin == trust)


def _rules(replay: ReplayView) -> str:
    rows = [(rule, str(studies), str(replay.failures.get(rule, 0))) for rule, studies in replay.matches.items()]
    return _part("Rules", _table(("rule", "studies matched", "failed"), rows))


def _studies(replay: ReplayView) -> str:
    rows = [
        (
            f"{one.at:%Y-%m-%d %H:%M}",
            one.trust,
            one.study_instance_uid,
            "; ".join(one.rules),
            "; ".join(f"{change.what}: {change.before} → {change.after}" for change in one.changes),
            reader_in_words(one),
        )
        for one in replay.studies
    ]
    more = replay.different - len(rows)
    note = f'<p class="note">{more} more are not listed.</p>' if more else ""
    if replay.displaced:
        note += f'<p class="note">{replay.displaced} more are routed alike, and another reader would have had them.</p>'
    return _part("Studies", _table(("settled (UTC)", "trust", "study", "rules", "changes", "reader"), rows), note)


def _part(title: str, *parts: str) -> str:
    return f"<h2>{escape(title)}</h2>{''.join(parts)}"


def _chart(title: str, name: str, bars: list[Bar]) -> str:
    chart = bar_chart(title, bars, logarithmic=False)
    if all(bar.value == int(bar.value) for bar in bars):
        chart = chart.replace(".00<", "<").replace(".0<", "<")  # the simulator draws means; these are counts
    return f'<figure data-chart="{name}" style="margin:0"><h3>{escape(title)}</h3>{chart}</figure>'


def _pairs(items: Iterable[tuple[str, float, float]]) -> list[Bar]:
    """Two bars each: before and after."""
    return [
        bar
        for name, before, after in items
        for bar in (Bar(_when(name, "before"), before, inf), Bar(_when(name, "after"), after, inf, own=True))
    ]


def _table(head: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    return f'<div class="wide"><table><tr>{titles}</tr>{lines}</table></div>' if lines else ""


def _short(words: str, longest: int = _LONGEST) -> str:
    return words if len(words) <= longest else words[: longest - 1] + "…"


def _when(name: str, when: str) -> str:
    return f"{_short(name, _LONGEST - len(when) - 2)}, {when}"


def _round(minutes: float) -> str:
    return f"{minutes:,.0f}"


def _signed(minutes: float) -> str:
    return f"{minutes:+,.0f}"
