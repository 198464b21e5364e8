"""What is wrong with a text of rules: where, what was expected, and what was perhaps meant."""

from datetime import timedelta

import pytest

from router.model.routing_rule import Problem
from router.rules.routing_rules.checking import check
from router.rules.routing_rules.known_names import KnownNames
from tests.unit.router.people import NOW
from tests.unit.router.routing_rules.rule_texts import KNOWN, rule, text


def problems(rules_text: str, known: KnownNames = KNOWN) -> tuple[Problem, ...]:
    return check(rules_text, known, NOW).problems


def only(rules_text: str) -> Problem:
    found = problems(rules_text)
    assert len(found) == 1, [str(problem) for problem in found]
    return found[0]


def place(rules_text: str) -> tuple[int | None, int | None]:
    problem = only(rules_text)
    return problem.line, problem.column


def test_a_good_text_has_no_problems() -> None:
    good = text(
        rule('study.modality == "CT" && now.hour > 7', 'priority = "urgent"\nrequire = { pools = ["p"] }'),
        top='[pools.p]\nreaders = ["dr-a"]',
    )
    assert problems(good) == ()


@pytest.mark.parametrize(
    ("condition", "message", "suggestion"),
    [
        ("study.modalty == 'CT'", "unknown name study.modalty; expected one of study.age_known", "study.modality"),
        ("orign.trust == 'RXN'", "unknown name orign.trust; expected one of now, now.bank_holiday", "origin.trust"),
        ("now.hours > 3", "unknown name now.hours; expected one of now.bank_holiday, now.date", "now.hour"),
        ("study.description.size > 3", "unknown name study.description.size", "study.description"),
        ("oder > 3", "unknown name or function oder", None),
        ("study.description.startWith('X')", "unknown name or function startWith", "startsWith"),
        ("study.age_years > '5'", "'>' cannot be used with a whole number and text", None),
        ("order.expected_minutes > 7.5", "'>' cannot be used with a whole number and a number with a point", None),
        ("study.modality = 'CT'", "one = compares nothing; expected ==", "=="),
        ("study.modality ==", "cannot be read: mismatched input the end of the condition", None),
        ("study.description.matches('a[')", "'a[' is no regular expression", None),
        ("study.description", "a condition must be true or false; this one is text", None),
    ],
)
def test_a_condition_is_refused_in_words(condition: str, message: str, suggestion: str | None) -> None:
    problem = only(text(rule("true").replace("'true'", f'"{condition}"')))
    assert (problem.severity, problem.where) == ("error", "rules[0].condition")
    assert problem.message.startswith(message), problem.message
    assert problem.suggestion == suggestion


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("condition = 'now.hour > 1 && now.hours > 2'", 43 - 12),
        ('condition = "now.hour > 1 && now.hours > 2"', 43 - 12),
        (r'condition = "study.modality == \"CT\" && now.hours > 2"', 53 - 12),
        (r'condition = "study.modality == \u0022CT\u0022 && now.hours > 2"', 61 - 12),
        ("condition = '''now.hour > 1 && now.hours > 2'''", 45 - 12),
        ("   condition   =   'now.hour > 1 && now.hours > 2'", 50 - 12),
    ],
)
def test_a_place_is_told_in_the_file(line: str, column: int) -> None:
    rules = f'\n[[rules]]\nname = "a"\nowner = "b"\n{line}\n[rules.effects]\nhold = "x"\n[default]\n'
    assert place(rules)[0] == 5
    assert line[(place(rules)[1] or 0) - 1 :].startswith(".hours"), place(rules)


def test_a_place_in_a_long_condition_and_a_later_rule_is_told_in_the_file() -> None:
    long = '[[rules]]\nname = "b"\nowner = "b"\ncondition = """\nnow.hour > 1\n  && now.hours > 2"""\n'
    rules = text(rule("now.weekend"), f'{long}[rules.effects]\nhold = "x"\n')
    line, column = place(rules)
    assert rules.splitlines()[(line or 0) - 1][(column or 0) - 1 :] == '.hours > 2"""'


@pytest.mark.parametrize(
    ("effects", "message", "suggestion"),
    [
        ('priority = "urgnt"', "'urgnt' is not among the priorities; expected emergency, routine, urgent", "urgent"),
        ('subspecialty = "nuero"', "'nuero' is not among the subspecialties; expected body, neuro", "neuro"),
        ('pathway = "strok"', "'strok' is not among the pathways", "stroke"),
        ('require = { readers = ["dr-aa"] }', "'dr-aa' is not among the readers", "dr-a"),
        ('exclude = { trusts = ["RXM"] }', "'RXM' is not among the trusts", "RXN"),
        ('prefer = { pools = ["hub"] }', "no pool 'hub' in [pools]; known: none is defined", None),
        ("prefer = { }", "expected at least one of readers, trusts and pools", None),
        ("due_minutes = 0", "Input should be greater than or equal to 1, got 0", None),
        ('priorty = "urgent"', "unknown key, expected one of subspecialty, priority", "priority"),
        ("", "rule 'one' has no effect", None),
        ('priors = { modalities = ["CTX"] }', "'CTX' is not among the modalities; expected CT, MR", "CT"),
    ],
)
def test_an_effect_is_refused_with_what_was_expected(effects: str, message: str, suggestion: str | None) -> None:
    rules = text(rule("now.weekend", effects))
    problem = only(rules)
    assert problem.message.startswith(message)
    assert (problem.severity, problem.suggestion) == ("error", suggestion)
    assert problem.line is not None
    key = effects.partition(" ")[0] or "[rules.effects]"
    assert key in rules.splitlines()[problem.line - 1]


def test_names_are_not_held_against_a_text_where_the_network_is_unknown() -> None:
    rules = text(rule("origin.trust == 'ZZZ'".replace("'", '"'), 'priority = "whatever"'))
    assert problems(rules, KnownNames()) == ()


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (text(rule("now.weekend"), rule("now.hour > 3")), "the name 'one' is used twice"),
        (rule("now.weekend"), "is missing: write [default], be it empty"),
        (
            text(rule("now.weekend"), top='timezone = "Europe/Londn"'),
            "expected a time zone such as 'Europe/London', got 'Europe/Londn'",
        ),
        (
            text(rule("now.weekend", extra="valid_from = 2026-02-01T00:00:00Z\nvalid_until = 2026-01-01T00:00:00Z")),
            "valid_until: must be later than valid_from",
        ),
        (text(rule("now.weekend", extra="valid_from = 2026-02-01T00:00:00")), "Input should have timezone info"),
        ('[[rules]]\nname = "a\nowner = "b"', "Illegal character"),
        (text(rule("now.weekend", extra='conditon = "x"')), "unknown key, expected one of name, condition"),
    ],
)
def test_a_text_that_contradicts_itself_is_refused(rules: str, message: str) -> None:
    assert message in only(rules).message


@pytest.mark.parametrize(
    ("condition", "word"),
    [
        ("study.age_years < 5 && study.age_years > 10", "never"),
        ("study.age_years < 5 && study.age_years > 3", None),
        ('study.modality == "CT" && study.modality == "MR"', "never"),
        ('"CT" in study.modalities && "MR" in study.modalities', None),
        ('now.time > "17:00" && now.time < "08:00"', "never"),
        ('now.time > "17:00" || now.time < "08:00"', None),
        ("now.hour >= 0", "always"),
        ("now.weekday in [8, 9]", "never"),
        ("order.minutes_to_due < 0", None),
        ('study.description.contains("A") && !study.description.contains("A")', "never"),
        ('study.description.contains("AB") && study.description.contains("CD")', None),
        ('order.priority in ["urgent", "routine", "emergency"]', "always"),
        ('order.priority in ["urgent", "routine"]', None),
        ("study.minutes_since_exam < 0", "never"),
        ("1 == 2", "never"),
        ("true", "always"),
        ('now.time > "25:00" || now.hour > 30', "never"),
        ('now.time >= "9:00"', "never"),
        ('now.time > "17:29" && now.time < "17:31"', None),
        ('now.time > "17:29" && now.time < "17:30"', "never"),
        ('now.time.startsWith("17")', None),
        ("study.age_known && study.age_years >= 0 || !study.age_known", "always"),
        ("study.age_known && study.age_years > 5 || !study.age_known", None),
        ("now.weekend && now.weekday < 6", "never"),
        ("now.weekend && now.weekday == 6", None),
        ('study.description.matches("^A") && study.description.matches("^B")', None),
    ],
)
def test_what_never_or_always_matches_is_warned_about(condition: str, word: str | None) -> None:
    found = [one.message for one in problems(text(rule(condition))) if one.message.startswith("rule 'one'")]
    assert found == ([] if word is None else [f"rule 'one' {word} matches, whatever the study"])


@pytest.mark.parametrize(
    ("condition", "message", "suggestion"),
    [
        ('origin.trust == "RXM"', "origin.trust is never 'RXM': it is not among the trusts", "RXN"),
        ('"CTT" in study.modalities', "study.modalities is never 'CTT': it is not among the modalities", "CT"),
        ('order.priority in ["urgent", "urgnt"]', "order.priority is never 'urgnt'", "urgent"),
        ('study.description.contains("stroke")', "study.description is in capitals, so 'stroke' is never", "STROKE"),
        ('study.modality == "CT+PTX"', "study.modality is never 'CT+PTX'", None),
    ],
)
def test_a_literal_that_a_name_never_has_is_warned_about(condition: str, message: str, suggestion: str | None) -> None:
    rules = text(rule(condition))
    problem = problems(rules)[-1]
    assert problem.message.startswith(message)
    assert (problem.severity, problem.suggestion) == ("warning", suggestion)
    bad = problem.message.split("'")[1]
    line = rules.splitlines()[(problem.line or 0) - 1]
    assert line[(problem.column or 0) - 1 :].startswith(f'"{bad}"')


@pytest.mark.parametrize(
    ("condition", "message", "suggestion"),
    [
        ('now.weekend || now.time > "25:00"', "now.time is compared with '25:00', which is no time of day", None),
        ('now.weekend || now.time > "9:00"', "now.time is compared with '9:00', which is no time of day", "09:00"),
        ('now.weekend || "9:30" <= now.time', "now.time is compared with '9:30'", "09:30"),
        ('now.weekend && now.date == "2026-02-30"', "now.date is compared with '2026-02-30', which is no date", None),
        ("now.weekend || now.hour > 30", "now.hour > 30 is never true: now.hour is 0 to 23", None),
        ("now.weekend || 24 <= now.hour", "24 <= now.hour is never true", None),
        ("now.weekend && now.hour < 24", "now.hour < 24 is always true", None),
        ("now.bank_holiday || now.weekday == 0", "now.weekday == 0 is never true: now.weekday is 1 to 7", None),
        ("now.weekend && study.revision >= 1", "study.revision >= 1 is always true", None),
        (
            'now.weekend || order.exam_code == "NOSUCH"',
            "no code map and no exam table knows the exam code 'NOSUCH'",
            None,
        ),
        ('now.weekend && order.exam_code in ["CSKUH", "CSKUX"]', "no code map and no exam table knows", "CSKUH"),
    ],
)
def test_a_part_of_a_condition_that_tells_nothing_is_warned_about(
    condition: str, message: str, suggestion: str | None
) -> None:
    (problem,) = problems(text(rule(condition)))
    assert problem.message.startswith(message), problem.message
    assert (problem.severity, problem.suggestion) == ("warning", suggestion)


@pytest.mark.parametrize(
    "condition",
    [
        'now.time >= "17:30" || now.time < "08:00"',
        'now.date >= "2026-12-24" && now.date <= "2027-01-02"',
        "now.hour >= 22 || now.hour < 6",
        "now.weekday == 7 || now.weekday in [1, 2]",
        "2 * now.hour > 30",
        "now.hour > 30 - study.revision",
        "30 - now.hour > 10",
        "study.age_known && study.age_years < 0",
        "order.minutes_to_due < -60",
        'study.description.contains("NOW.HOUR > 30")',
        'order.exam_code == "CSKUH"',
        'order.exam_code == ""',
        'order.exam_code.startsWith("CS")',
    ],
)
def test_a_part_that_tells_something_is_not_warned_about(condition: str) -> None:
    assert [one.message for one in problems(text(rule(condition))) if "matches, whatever" not in one.message] == []


def test_effects_behind_a_rule_that_always_matches_are_warned_about() -> None:
    all_ages = "study.age_known && study.age_years >= 0 || !study.age_known"
    rules = text(
        rule("now.weekend", 'priority = "urgent"', "before"),
        rule(all_ages, 'priority = "routine"\nhold = "look"', "all"),
        rule("now.weekend", 'priority = "emergency"\nsubspecialty = "neuro"\nhold = "too"', "after"),
        default='priority = "urgent"',
    )
    words = "never acts: rule 'all' before it always matches and decides priority"
    found = [(one.where, one.message) for one in problems(rules) if "never acts" in one.message]
    assert found == [("rules[2].effects.priority", words), ("default.priority", words)]


def test_an_always_true_rule_of_a_limited_period_overrules_nothing_for_ever() -> None:
    over = f"valid_until = {(NOW + timedelta(days=1)).isoformat()}"
    limited = rule("true", 'priority = "routine"', "all", extra=over)
    rules = text(limited, rule("now.weekend", 'priority = "urgent"', "after"))
    assert not any("never acts" in one.message for one in problems(rules))


def test_a_rule_that_excludes_all_whom_it_requires_is_warned_about() -> None:
    both = 'require = { readers = ["dr-a"] }\nexclude = { readers = ["dr-a", "dr-b"] }'
    (problem,) = problems(text(rule("now.weekend", both)))
    assert problem.message == "excludes all whom `require` asks for: nobody is left"
    some = 'require = { readers = ["dr-a"], trusts = ["RXN"] }\nexclude = { readers = ["dr-a"] }'
    assert problems(text(rule("now.weekend", some))) == ()


def test_a_rule_whose_period_is_over_is_warned_about() -> None:
    over = f"valid_until = {(NOW - timedelta(days=1)).isoformat()}"
    assert "is over: it never matches" in only(text(rule("now.weekend", extra=over))).message


def test_errors_come_before_warnings_and_each_in_the_files_order() -> None:
    rules = text(
        rule("1 == 1", name="always"), rule("now.hours > 3", name="b"), rule("now.day > 3", name="c", effects="")
    )
    found = problems(rules)
    assert [problem.severity for problem in found] == ["error", "error", "error", "warning"]
    assert [problem.line for problem in found[:3]] == sorted(problem.line or 0 for problem in found[:3])


def test_everything_that_is_wrong_is_told_in_one_run() -> None:
    """Mistakes in the form, unknown pools and conditions that cannot be used, each once and in the file's order."""
    over = "valid_from = 2026-02-01T00:00:00Z\nvalid_until = 2026-01-01T00:00:00Z"
    rules = text(
        rule("now.hours > 3", 'priorty = "urgent"', "a"),
        rule("study.modalty == 1", 'prefer = { pools = ["hub"] }', "b", extra='conditon = "x"'),
        rule("now.weekend", 'priority = "urgnt"\ndue_minutes = 0', "c", extra=over),
        rule("now.weekend", "prefer = { }", "c").replace('owner = "lead"', ""),
        rule("now.day > 3", name="e").replace('name = "e"', "name = 5"),
        default='subspecialty = "nuero"',
    )
    found = problems(rules)
    assert [problem.where for problem in found if problem.severity == "error"] == [
        "rules[0].condition",
        "rules[0].effects.priorty",
        "rules[1].condition",
        "rules[1].conditon",
        "rules[1].effects.prefer.pools",
        "rules[2].valid_until",
        "rules[2].effects.priority",
        "rules[2].effects.due_minutes",
        "rules[3].owner",
        "rules[3].name",
        "rules[3].effects.prefer",
        "rules[4].name",
        "rules[4].condition",
        "default.subspecialty",
    ]
    lines = rules.splitlines()
    (validity,) = [problem for problem in found if problem.where == "rules[2].valid_until"]
    assert lines[(validity.line or 0) - 1].startswith("valid_until = ")


@pytest.mark.parametrize(
    "rules", ["rules = 3\n[default]\n", "rules = [1, {}]\n[default]\n", "pools = [1]\ndefault = 2\n"]
)
def test_a_text_of_another_shape_altogether_is_refused_and_no_more(rules: str) -> None:
    checked = check(rules, KNOWN, NOW)
    assert checked.compiled is None
    assert checked.errors
