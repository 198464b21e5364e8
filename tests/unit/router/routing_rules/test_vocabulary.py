"""What conditions can say, of which type, and what is true of a study."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from router.rules.routing_rules.conditions import Bound, Condition, Failed, NotACondition, constant_value
from router.rules.routing_rules.vocabulary import BY_NAME, TEXT, TEXTS, TIME, VOCABULARY, WHOLE, YES_NO, age_years
from tests.unit.router.people import NOW
from tests.unit.router.routing_rules.rule_texts import rule, ruled, text

_OF_KIND = {
    TEXT: '{} == "x"',
    WHOLE: "{} == 1",
    YES_NO: "{} == true",
    TEXTS: '"x" in {}',
    TIME: '{} > timestamp("2026-01-01T00:00:00Z")',
}


@pytest.mark.parametrize("name", [name.name for name in VOCABULARY])
def test_every_name_has_the_type_it_says_and_no_other(name: str) -> None:
    kind = BY_NAME[name].kind
    for other, pattern in _OF_KIND.items():
        if other == kind:
            Condition(pattern.format(name))
        else:
            with pytest.raises(NotACondition):
                Condition(pattern.format(name))


@pytest.mark.parametrize(
    "outside", ["reader.name", "study.patient_id", "study.nhs_number", "__import__('os')", "study"]
)
def test_nothing_outside_the_vocabulary_can_be_named(outside: str) -> None:
    with pytest.raises(NotACondition):
        Condition(f"{outside} == 'x'")


def test_what_is_not_true_or_false_is_no_condition() -> None:
    with pytest.raises(NotACondition, match="must be true or false; this one is text"):
        Condition("study.description")


WINTER, SUMMER = datetime(2026, 12, 25, 17, 30, tzinfo=UTC), datetime(2026, 7, 4, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("condition", "changes"),
    [
        ('study.modality == "CT" && study.modalities == ["CT"]', {}),
        ('study.modality == "CT"', {"modalities": ("SR", "CT")}),
        ('study.description == "CT HEAD STROKE" && study.body_part == "HEAD"', {}),
        ('study.description == "" && study.body_part == ""', {"description": None, "body_part": None}),
        ("study.age_known && study.age_years == 76", {}),
        ("!study.age_known", {"birth_date": None}),
        ("study.minutes_since_exam == 90", {"study_time": NOW - timedelta(minutes=90)}),
        ("study.minutes_since_exam == 0", {"study_time": NOW + timedelta(minutes=90)}),
        ('order.exam_code == "" && order.exam_scheme == "" && order.exam_name == ""', {}),
        ('order.exam_code == "CSKUH" && order.exam_name == "HEAD"', {"exam_code": ("CSKUH", "NICIP", "head")}),
        ("order.expected_minutes == 8", {"exam_code": ("CSKUH", "NICIP", "head")}),
        ('order.subspecialty == "body" && order.priority == "routine"', {}),
        ("order.minutes_to_due == 40320", {}),
        ('origin.trust == "RXN" && study.revision == 1', {}),
        ('now.hour == 17 && now.time == "17:30" && now.date == "2026-12-25" && now.weekday == 5', {"at": WINTER}),
        ("now.bank_holiday && !now.weekend", {"at": WINTER}),
        ('now.hour == 0 && now.time == "00:30" && now.date == "2026-07-05" && now.weekend', {"at": SUMMER}),
        ("now.getHours('Europe/London') == 0 && !now.bank_holiday", {"at": SUMMER}),
    ],
)
def test_names_have_the_studys_values(condition: str, changes: dict[str, Any]) -> None:
    rules = text(
        f'[[rules]]\nname = "one"\nowner = "lead"\ncondition = """{condition}"""\n[rules.effects]\nhold = "x"\n',
        top="bank_holidays = [2026-12-25]",
    )
    (asked,) = ruled(rules, **changes).asked
    assert (asked.value, asked.failure) == (True, None)


@pytest.mark.parametrize(("born", "on", "age"), [("2020-02-29", "2021-02-28", 0), ("2020-02-29", "2021-03-01", 1)])
def test_age_is_in_completed_years(born: str, on: str, age: int) -> None:
    assert age_years(date.fromisoformat(born), date.fromisoformat(on)) == age


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("study.age_years < 5", "study.age_years has no value for this study"),
        ("10 / (study.revision - 1) > 1", "divide by zero"),
        ("study.modalities[7] == 'CT'", "Index error"),
        ("int(study.description) > 1", "cannot convert string to int"),
    ],
)
def test_a_run_time_error_is_a_value_and_holds_nothing_of_the_study(condition: str, reason: str) -> None:
    said = Condition(condition).evaluate(
        Bound({"study.revision": 1, "study.modalities": ["CT"], "study.description": "JONES 9990000018"})
    )
    assert said == Failed(reason)


def test_a_pattern_out_of_the_study_is_not_quoted_when_it_fails() -> None:
    said = Condition('"x".matches(study.description)').evaluate(Bound({"study.description": "JONES ["}))
    assert said == Failed("invalid regular expression")


@pytest.mark.parametrize(
    ("condition", "constant"),
    [
        ("1 == 1", True),
        ("false && study.age_years > 3", False),
        ("study.age_known || true", True),
        ("now.weekend", None),
    ],
)
def test_constants_are_folded_without_any_study(condition: str, constant: bool | None) -> None:
    assert constant_value(Condition(condition)) is constant


def test_one_condition_may_be_asked_by_many_threads() -> None:
    condition = Condition('study.description.contains("HEAD") && study.revision > 500')
    bound = [Bound({"study.description": "CT HEAD", "study.revision": number}) for number in range(1000)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(condition.evaluate, bound))
    assert answers == [number > 500 for number in range(1000)]


def test_a_rule_that_asks_for_what_is_unknown_fails_alone() -> None:
    ruling = ruled(text(rule("study.age_years < 16", name="children")), birth_date=None)
    assert [(asked.rule, asked.value) for asked in ruling.failures] == [("children", None)]
