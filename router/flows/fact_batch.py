"""Reads a node's batch fact by fact, so that one that cannot be understood never blocks its neighbours.

The lengths are the router's own: the contract has none, because a node that could not build its fact would have
nothing to send and nobody to tell (ADR 065).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from dicom_nodes.contract import Fact, FactBody, Message, NodeHealth
from router.flows.human_queue import About
from router.model.errors import Invalid
from router.model.fact import KeptFact

_HIGHEST_SEQ = 2**63 - 1
_UID, _ID, _ODS, _NUMBER = 64, 64, 6, 256
_LONGEST = {
    "study_instance_uid": _UID,
    "series_instance_uid": _UID,
    "sop_instance_uid": _UID,
    "sop_class_uid": _UID,
    "transfer_syntax_uid": _UID,
    "digest": 64,
    "original_digest": 64,
    "manifest_digest": 64,
    "origin": _ODS,
    "accession_number": _NUMBER,
    "accession_issuer": _NUMBER,
    "issuer": _NUMBER,
    "patient_id": _NUMBER,
    "nhs_number": _NUMBER,
    "registration": _NUMBER,
    "order_id": _ID,
    "report_id": _ID,
    "quarantine_id": _ID,
    "procedure_step_uid": _UID,
    "study_instance_uids": _UID,
    "code": 10,
    "job_kind": 40,
    "job_key": 200,
    "pathway": 40,
    "urgency": 10,
}
"""Longest identifiers, by field; what is longer is no identifier of anything. None of them may hold a NUL."""

_TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)
_BODY: TypeAdapter[FactBody] = TypeAdapter(FactBody)


class ReceivedBatch(Message):
    """The contract's `FactBatch`, except that a fact may be anything that has a `seq`."""

    version: Literal[1] = 1
    outbox_id: str = Field(min_length=1, max_length=_ID, pattern=r"^[^\x00]+$")
    facts: tuple[Annotated[Fact | dict[str, object], Field(union_mode="left_to_right")], ...]
    health: NodeHealth


@dataclass(frozen=True, slots=True)
class ReceivedFact:
    """A fact at its place. `said` is None where `problem` says why it cannot be understood; `body` is kept as JSON."""

    seq: int
    occurred_at: datetime | None
    body: dict[str, object]
    said: FactBody | None
    problem: str | None = None

    @property
    def kind(self) -> str:
        return kind_of(self.body)

    def repeats(self, kept: KeptFact) -> bool:
        """Whether this is the very fact that was kept under its number."""
        return self.body == kept.body and self.occurred_at in {None, kept.occurred_at}


def facts_of(batch: ReceivedBatch) -> tuple[ReceivedFact, ...]:
    """The batch's facts in order.

    Raises:
        Invalid: one has no number, so it has no place.
    """
    return tuple(_understood(fact) if isinstance(fact, Fact) else _unreadable(fact) for fact in batch.facts)


def read_body(body: dict[str, object]) -> FactBody | str:
    """What a kept body says, or why it cannot be understood; the reason quotes nothing of it."""
    try:
        said = _BODY.validate_python(body)
    except ValidationError as error:
        places = (f"{'.'.join(map(str, detail['loc']))}: {detail['type']}" for detail in error.errors()[:5])
        return f"not of this contract ({'; '.join(places)})"
    return "; ".join(_overlong(body)) or said


def kind_of(body: dict[str, object]) -> str:
    """The kind a body gives, if it looks like one."""
    kind = body.get("kind")
    return kind if isinstance(kind, str) and len(kind) <= 40 and kind.isprintable() else "of unknown kind"


def about_fact(node: str, body: dict[str, object]) -> About:
    """What the body is about, as far as it can be told without trusting it."""
    study = body.get("study")
    uid = study.get("study_instance_uid") if isinstance(study, dict) else body.get("study_instance_uid")
    return About(
        study_instance_uid=_usable(uid),
        report_id=_usable(body.get("report_id")),
        order_id=_usable(body.get("order_id")),
        node=node,
    )


def _understood(fact: Fact) -> ReceivedFact:
    if fact.seq > _HIGHEST_SEQ:
        raise Invalid("facts: a seq is out of range")
    body: dict[str, object] = fact.body.model_dump(mode="json")
    problem = "; ".join(_overlong(body)) or None
    return ReceivedFact(fact.seq, fact.occurred_at, body, fact.body if problem is None else None, problem)


def _unreadable(raw: dict[str, object]) -> ReceivedFact:
    seq = raw.get("seq")
    if isinstance(seq, bool) or not isinstance(seq, int) or not 1 <= seq <= _HIGHEST_SEQ:
        raise Invalid("facts: one has no seq, so it has no place")
    given = raw.get("body")
    body = _storable(given if isinstance(given, dict) else raw)
    assert isinstance(body, dict)
    said = read_body(body)
    problem = said if isinstance(said, str) else "the fact around a sound body is not of this contract"
    try:
        occurred_at = _TIME.validate_python(raw.get("occurred_at"))
    except ValidationError:
        occurred_at = None
    return ReceivedFact(seq, occurred_at, body, None, problem)


def _overlong(body: dict[str, object]) -> Iterator[str]:
    """By a loop of its own: a manifest holds thousands of values, and each fact is looked through."""
    left: list[tuple[str, object]] = [("", body)]
    while left:
        name, value = left.pop()
        if isinstance(value, str):
            longest = _LONGEST.get(name)
            if longest is not None and (len(value) > longest or "\x00" in value):
                too_long = len(value) > longest
                yield f"{name} is longer than {longest} characters" if too_long else f"{name} holds a NUL character"
        elif isinstance(value, dict):
            left.extend(reversed(value.items()))
        elif isinstance(value, list):
            left.extend((name, inner) for inner in reversed(value))


def _storable(value: object) -> object:
    """The same JSON without the numbers and the lone surrogates that a database or an answer cannot hold."""
    if isinstance(value, dict):
        return {str(key): _storable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_storable(inner) for inner in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _usable(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _UID and "\x00" not in value else None
