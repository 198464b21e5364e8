"""What a settled study asks for: subspecialty, minutes and due time. What the table does not hold is never guessed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from router.config import ExamRule, RoutingFile
from router.model.exam import Exam
from router.model.reader import Level
from router.model.study import Study


@dataclass(frozen=True, slots=True)
class Routed:
    """`modalities` are the ones a reader must have in scope."""

    modalities: tuple[str, ...]
    subspecialty: str
    expected_minutes: float
    priority: str
    due_at: datetime
    exam_code: str | None = None
    exam_group: str | None = None
    minimum_level: Level = Level.GENERAL
    pathway: str | None = None


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
    images = _images(study, routing)
    if study.modalities and not images:
        return NotForReading("the study holds documents only")
    unreadable = sorted(set(images) - set(routing.readable_modalities))
    if not images or unreadable:
        return Unmapped(images, f"modality {', '.join(unreadable) or '(none)'} is not in the list of readable ones")
    rule = next(_matching_rules(study, images, routing), None)
    if rule is None:
        return Unmapped(images, _why_unmapped(study, images, routing))
    due = due_at(study, rule.priority, routing, now)
    return Routed(
        modalities=images,
        subspecialty=rule.subspecialty,
        expected_minutes=rule.minutes,
        priority=rule.priority,
        due_at=due,
        exam_code=rule.code,
        exam_group=rule.group,
        minimum_level=Level[rule.minimum_level.upper()],
    )


def by_code_map(study: Study, exam: Exam | None, routing: RoutingFile, now: datetime) -> Routed | Unmapped:
    """What the entry of the trust's own code map makes of a study with a code. Without an entry a person decides."""
    images = _images(study, routing)
    value, scheme, _ = study.exam_code or ("(none)", None, None)
    name = f"exam code {value} ({scheme})"
    if exam is None:
        return Unmapped(images, f"{name} is not in the code map of {study.origin}")
    if exam.modality not in images:
        held = "+".join(images) or "(none)"
        return Unmapped(images, f"{name} is {exam.modality} in the code map of {study.origin}, the study holds {held}")
    unreadable = sorted(set(images) - set(routing.readable_modalities))
    if unreadable:
        return Unmapped(images, f"modality {', '.join(unreadable)} is not in the list of readable ones")
    if exam.pathway is None or exam.pathway not in routing.priorities:
        return Unmapped(images, f"{name} names no pathway in the code map of {study.origin}")
    return Routed(
        modalities=images,
        subspecialty=exam.subspecialty,
        expected_minutes=exam.expected_minutes,
        priority=exam.pathway,
        due_at=due_at(study, exam.pathway, routing, now),
        exam_code=exam.standard_code,
        exam_group=exam.group,
        minimum_level=exam.minimum_level,
    )


def due_at(study: Study, priority: str, routing: RoutingFile, now: datetime) -> datetime:
    """When the verified report is due at this priority."""
    examined = study.study_time if study.study_time is not None and study.study_time <= now else now
    return examined + timedelta(hours=routing.priorities[priority])


def _images(study: Study, routing: RoutingFile) -> tuple[str, ...]:
    return tuple(sorted(set(study.modalities) - set(routing.ignored_modalities)))


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
