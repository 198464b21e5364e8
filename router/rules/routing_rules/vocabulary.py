"""The closed, typed vocabulary of a condition, and its values for a study.

A value that is not known has no value: a rule that asks for it without asking `study.age_known` first fails, and the
study goes to a person. Texts are in capitals, so that nobody has to think of upper and lower case. Numbers are whole.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from router.model.routing_rule import RuleBook
from router.model.study import Study
from router.rules.study_routing import Routed

TEXT, WHOLE, YES_NO, TEXTS, TIME = "text", "whole number", "true or false", "list of texts", "time"


@dataclass(frozen=True, slots=True)
class Name:
    """`kind` is one of the five kinds above; `values` names what `KnownNames` lists for it."""

    name: str
    kind: str
    means: str
    values: str | None = None
    capitals: bool = False


VOCABULARY: tuple[Name, ...] = (
    Name("study.modality", TEXT, "image modalities joined by +, in order: CT, or CT+PT", "joined_modalities"),
    Name("study.modalities", TEXTS, "image modalities", "modalities"),
    Name("study.description", TEXT, "study description, in capitals; empty where there is none", capitals=True),
    Name("study.body_part", TEXT, "body part examined, in capitals; empty where there is none", capitals=True),
    Name("study.revision", WHOLE, "1 for the study as it first settled, more where images came later"),
    Name("study.age_known", YES_NO, "whether the patient's birth date is known"),
    Name("study.age_years", WHOLE, "the patient's age at the examination; no value unless study.age_known"),
    Name("study.minutes_since_exam", WHOLE, "minutes since the examination; 0 where its time is unknown"),
    Name("order.exam_code", TEXT, "the exam's code; empty where there is none", "exam_codes"),
    Name("order.exam_scheme", TEXT, "whose code it is, such as NICIP"),
    Name("order.exam_name", TEXT, "what the code stands for, in capitals", capitals=True),
    Name("order.subspecialty", TEXT, "what the exam table says", "subspecialties"),
    Name("order.priority", TEXT, "what the exam table says", "priorities"),
    Name("order.expected_minutes", WHOLE, "minutes of reading, rounded up"),
    Name("order.known", YES_NO, "whether an order of the trust was told for this study, before or after it came"),
    Name("order.urgency", TEXT, "stat, urgent, soon or routine as the order says; empty where it does not"),
    Name("order.suspected_cancer", YES_NO, "whether the order says suspected cancer"),
    Name("order.pathway", TEXT, "pathway of the order; empty where it names none"),
    Name("order.clinical_question", TEXT, "what the order asks, in capitals; empty where it does not", capitals=True),
    Name("order.minutes_to_due", WHOLE, "until the report is due; negative when it is late already"),
    Name("origin.trust", TEXT, "ODS code of the trust that made the study", "trusts"),
    Name("now", TIME, "this moment, for functions such as now.getDayOfMonth('Europe/London')"),
    Name("now.hour", WHOLE, "0 to 23, local time"),
    Name("now.time", TEXT, "local time as HH:MM; compares as text: now.time >= '17:30'"),
    Name("now.date", TEXT, "local date as YYYY-MM-DD"),
    Name("now.weekday", WHOLE, "1 is Monday, 7 is Sunday, local time"),
    Name("now.weekend", YES_NO, "Saturday or Sunday, local time"),
    Name("now.bank_holiday", YES_NO, "a day of bank_holidays"),
)
BY_NAME: Mapping[str, Name] = {name.name: name for name in VOCABULARY}


def facts_of(study: Study, routed: Routed, book: RuleBook, now: datetime) -> dict[str, Any]:
    """The values of every name for this study at this moment."""
    facts: dict[str, Any] = dict(_facts_of_now(book.timezone, book.bank_holidays, now.replace(second=0, microsecond=0)))
    facts["now"] = now
    code, scheme, meaning = study.exam_code or ("", "", None)
    examined = study.study_time if study.study_time is not None and study.study_time <= now else now
    birth_date, order = (study.present_patient or study.patient).birth_date, study.order
    facts |= {
        "study.modality": "+".join(sorted(routed.modalities)),
        "study.modalities": list(routed.modalities),
        "study.description": (study.description or "").upper(),
        "study.body_part": (study.body_part or "").strip().upper(),
        "study.revision": study.revision,
        "study.age_known": birth_date is not None,
        "study.minutes_since_exam": int((now - examined).total_seconds() // 60),
        "order.exam_code": code,
        "order.exam_scheme": scheme,
        "order.exam_name": (meaning or "").upper(),
        "order.subspecialty": routed.subspecialty,
        "order.priority": routed.priority,
        "order.expected_minutes": math.ceil(routed.expected_minutes),
        "order.known": order is not None,
        "order.urgency": (order.urgency if order is not None else None) or "",
        "order.suspected_cancer": order is not None and order.suspected_cancer,
        "order.pathway": (order.pathway if order is not None else None) or "",
        "order.clinical_question": ((order.clinical_question if order is not None else None) or "").upper(),
        "order.minutes_to_due": int((routed.due_at - now).total_seconds() // 60),
        "origin.trust": study.origin,
    }
    if birth_date is not None:
        facts["study.age_years"] = age_years(birth_date, examined.astimezone(_zone(book.timezone)).date())
    return facts


def age_years(born: date, on: date) -> int:
    """Completed years of age."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


@lru_cache(maxsize=64)
def _facts_of_now(timezone: str, bank_holidays: frozenset[date], minute: datetime) -> Mapping[str, Any]:
    local = minute.astimezone(_zone(timezone))
    return {
        "now.hour": local.hour,
        "now.time": f"{local:%H:%M}",
        "now.date": local.date().isoformat(),
        "now.weekday": local.isoweekday(),
        "now.weekend": local.isoweekday() >= 6,
        "now.bank_holiday": local.date() in bank_holidays,
    }


@lru_cache(maxsize=16)
def _zone(timezone: str) -> ZoneInfo:
    return ZoneInfo(timezone)
