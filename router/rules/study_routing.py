"""What a settled study asks for: subspecialty, minutes and due time. What the table does not hold is never guessed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from router.config import ExamRule, RoutingFile
from router.model.directives import NO_DIRECTIVES, Directives
from router.model.study import Study


@dataclass(frozen=True, slots=True)
class Routed:
    """`modalities` are the ones a reader must have in scope; `directives` is what the rules say besides."""

    modalities: tuple[str, ...]
    subspecialty: str
    expected_minutes: float
    priority: str
    due_at: datetime
    directives: Directives = NO_DIRECTIVES


@dataclass(frozen=True, slots=True)
class NotForReading:
    """Documents only: there is nothing to report."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A person must say what it is."""

    modalities: tuple[str, ...]
    reason: str


def route(study: Study, routing: RoutingFile, now: datetime) -> Routed | NotForReading | Unmapped:
    """Look the study up. Due time counts from the examination (or from `now` where its time is missing or ahead)."""
    images = tuple(sorted(set(study.modalities) - set(routing.ignored_modalities)))
    if study.modalities and not images:
        return NotForReading("the study holds documents only")
    unreadable = sorted(set(images) - set(routing.readable_modalities))
    if not images or unreadable:
        return Unmapped(images, f"modality {', '.join(unreadable) or '(none)'} is not in the list of readable ones")
    rule = next(_matching_rules(study, images, routing), None)
    if rule is None:
        return Unmapped(images, _why_unmapped(study, images, routing))
    return Routed(images, rule.subspecialty, rule.minutes, rule.priority, due_at(study, rule.priority, routing, now))


def due_at(study: Study, priority: str, routing: RoutingFile, now: datetime) -> datetime:
    """When the verified report is due at this priority."""
    examined = study.study_time if study.study_time is not None and study.study_time <= now else now
    return examined + timedelta(hours=routing.priorities[priority])


def _matching_rules(study: Study, images: tuple[str, ...], routing: RoutingFile) -> Iterator[ExamRule]:
    if study.exam_code is not None:
        value, scheme, _ = study.exam_code
        yield from (r for r in routing.exams if r.code == value and r.scheme in {None, scheme})
        if routing.unknown_code == "human_queue":
            return
    by_modality = [rule for rule in routing.exams if rule.modalities and set(rule.modalities) == set(images)]
    body_part = (study.body_part or "").strip().upper()
    yield from (rule for rule in by_modality if rule.body_part is not None and rule.body_part.upper() == body_part)
    yield from (rule for rule in by_modality if rule.body_part is None)


def _why_unmapped(study: Study, images: tuple[str, ...], routing: RoutingFile) -> str:
    if study.exam_code is not None and routing.unknown_code == "human_queue":
        value, scheme, _ = study.exam_code
        return f"exam code {value} ({scheme}) is not in the exam table"
    return f"no entry of the exam table is for modality {'+'.join(images)}, body part {study.body_part or '(none)'}"
