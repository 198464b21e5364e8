"""Rule sets, problems, dry runs and replays as tables for a terminal."""

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from router.web.rule_messages import (
    AskedView,
    DifferenceView,
    DryRunView,
    ProblemView,
    ReplayView,
    RuleSetView,
    WholeRuleSetView,
)


def versions_table(versions: Iterable[RuleSetView]) -> Table:
    table = Table("version", "state", "written (UTC)", "by", "what it changes", title="rule sets")
    for one in versions:
        state = f"[bold green]{one.state}[/]" if one.state == "active" else one.state
        written = f"{one.created_at:%Y-%m-%d %H:%M}"
        table.add_row(str(one.version), state, written, escape(one.author), escape(one.comment))
    return table


def rules_table(one: WholeRuleSetView) -> Table:
    table = Table("", "rule", "when", "then", "owner", title=f"rule set {one.version}, {one.state}", show_lines=True)
    for number, rule in enumerate(one.rules or (), start=1):
        period = "".join(
            f"\n{word} {at:%Y-%m-%d %H:%M}"
            for word, at in (("from", rule.valid_from), ("until", rule.valid_until))
            if at
        )
        name = f"[bold]{escape(rule.name)}[/]{period}"
        about = f"{name}\n[dim]{escape(rule.comment)}[/]" if rule.comment else name
        table.add_row(str(number), about, escape(rule.condition.strip()), _effects(rule.effects), escape(rule.owner))
    default = _effects(one.default or {}) or "as the exam table says"
    table.add_row("", "[bold](default)[/]", "where no rule decides", default, "")
    return table


def history_table(one: WholeRuleSetView) -> Table:
    table = Table("when (UTC)", "what", "who", "detail", title="what was done with it")
    for entry in one.history:
        detail = ", ".join(f"{key}: {value}" for key, value in entry.detail.items() if value not in (None, [], ""))
        table.add_row(f"{entry.at:%Y-%m-%d %H:%M}", entry.event, escape(entry.actor), escape(detail))
    return table


def problem_lines(problems: Iterable[ProblemView], name: str, text: str) -> Iterator[str]:
    """Each problem with its line of the file and a mark under its column."""
    source = text.splitlines()
    for problem in problems:
        place = name if problem.line is None else f"{name}:{problem.line}:{problem.column or 1}"
        colour = "red" if problem.severity == "error" else "yellow"
        hint = "" if problem.suggestion is None else f" [bold]Did you mean {escape(problem.suggestion)}?[/]"
        yield f"{escape(place)}: [{colour}]{problem.severity}[/]: {escape(problem.message)}.{hint}"
        if problem.line is not None and problem.line <= len(source):
            yield f"    [dim]{escape(source[problem.line - 1])}[/]"
            yield f"    [{colour}]{'^':>{problem.column or 1}}[/]"


def dry_run_tables(run: DryRunView) -> Iterator[RenderableType]:
    yield f"Study {run.study_instance_uid} of {run.trust}, as if it settled {run.at:%Y-%m-%d %H:%M} UTC"
    if run.reason is not None:
        yield f"[yellow]No rule is asked:[/] {escape(run.reason)}"
        return
    table = Table("rule", "matches", "decides", "overruled in", title=f"rule set {run.version}")
    for asked in run.rules:
        table.add_row(escape(asked.rule), _answer(asked), ", ".join(asked.decided), ", ".join(asked.overruled))
    yield table
    if not run.changes:
        yield "Nothing would change against the active rules."
        return
    changes = Table("", "by the active rules", f"by rule set {run.version}", title="what would change")
    for change in run.changes:
        changes.add_row(change.what, escape(change.before), escape(change.after))
    yield changes


def replay_tables(replay: ReplayView) -> Iterator[RenderableType]:
    against = "the exam table alone" if replay.baseline is None else f"rule set {replay.baseline}"
    cut = ", the last ones of the period" if replay.cut else ""
    yield (
        f"{replay.considered} studies{cut}; {replay.unmapped} of them are not in the exam table. "
        f"Rule set {replay.version} routes {replay.different} otherwise than {against}."
    )
    if replay.displaced:
        yield f"{replay.displaced} more are routed alike, and another reader would have had them (plain planner)."
    matches = Table("rule", "matched", "failed", title="rules")
    for rule, studies in replay.matches.items():
        failed = replay.failures.get(rule, 0)
        matches.add_row(escape(rule), str(studies), f"[red]{failed}[/]" if failed else "")
    yield matches
    if replay.counts:
        counts = Table("", "before", "after", "studies", title="what would have gone elsewhere")
        for change in replay.counts:
            counts.add_row(change.what, escape(change.before), escape(change.after), str(change.studies))
        yield counts
    if replay.studies:
        yield _studies(replay)
    yield from _effort(replay)


def _studies(replay: ReplayView) -> Table:
    heads = "settled (UTC)", "trust", "study", "rules", "changes", "reader (plain planner)"
    studies = Table(*heads, title="studies")
    for one in replay.studies:
        changes = "\n".join(f"{change.what}: {change.before} → {change.after}" for change in one.changes)
        rules = "\n".join(one.rules)
        cells = one.trust, one.study_instance_uid, escape(rules), escape(changes), reader_in_words(one)
        studies.add_row(f"{one.at:%Y-%m-%d %H:%M}", *cells)
    return studies


def reader_in_words(one: DifferenceView) -> str:
    """Who would have read it before and after; one name where it is the same person."""
    before, after = one.reader_before or "nobody", one.reader_after or "nobody"
    return before if before == after else f"{before} → {after}"


def _effort(replay: ReplayView) -> Iterator[Table]:
    load = Table("reader", "reads", "→", "minutes", "→", title="load per reader (plain planner)")
    for reader in replay.readers:
        minutes = f"{reader.minutes_before:.0f}", f"{reader.minutes_after:.0f}"
        load.add_row(reader.reader_id, str(reader.reads_before), str(reader.reads_after), *minutes)
    yield load
    late = Table("", "before", "after", title="expected breaches (plain planner)")
    for priority in replay.late:
        late.add_row(f"late, {priority.priority}", str(priority.before), str(priority.after))
    late.add_row("held by a rule", str(replay.held_before), str(replay.held_after))
    late.add_row("unread at the end", str(replay.unread_before), str(replay.unread_after))
    yield late
    if replay.aid:
        aid = Table("readers of", "read for", "minutes", "→", title="mutual aid")
        for pair in replay.aid:
            aid.add_row(pair.reader_trust, pair.origin, f"{pair.minutes_before:.0f}", f"{pair.minutes_after:.0f}")
        yield aid


def _answer(asked: AskedView) -> str:
    if asked.failure is not None:
        return f"[red]failed: {escape(asked.failure)}[/]"
    return {True: "[green]yes[/]", False: "no", None: "[dim]outside of its period[/]"}[asked.value]


def _effects(effects: dict[str, Any]) -> str:
    return "\n".join(f"{name.replace('_', ' ')}: {escape(_value(value))}" for name, value in effects.items())


def _value(value: Any) -> str:
    if value is True:
        return "yes"
    if not isinstance(value, dict):
        return str(value)
    said = {key: part for key, part in value.items() if key != "rule" and part not in (None, [], (), False)}
    return ", ".join(
        f"{', '.join(map(str, part))}" if isinstance(part, list | tuple) else f"{key.replace('_', ' ')} {part}"
        for key, part in said.items()
    )
