"""The rows' meaning: trusts, groups, subspecialties, classes, pathways and readers of one snapshot, each numbered."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from router.model.reader import Reader
from router.rules.planning.decisions import ClassKey

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Numbers follow the sorted names, so that the order of the snapshot decides nothing."""

    trusts: Mapping[str, int]
    groups: Mapping[str | None, int]
    subspecialties: Mapping[str, int]
    classes: Mapping[ClassKey, int]
    readers: Mapping[str, int]


def vocabulary_of(
    keys: Collection[ClassKey],
    readers: Sequence[Reader],
    groups: Collection[str | None],
    trusts: Collection[str],
) -> Vocabulary:
    """Number everything that a snapshot names; `trusts` are those besides the classes' origins and the employers."""
    named = {key.origin for key in keys} | {reader.employer for reader in readers} | set(trusts)
    return Vocabulary(
        trusts={name: number for number, name in enumerate(sorted(named))},
        groups={name: number for number, name in enumerate(sorted(groups, key=_none_first))},
        subspecialties={name: number for number, name in enumerate(sorted({key.subspecialty for key in keys}))},
        classes={key: number for number, key in enumerate(sorted(keys, key=_in_order))},
        readers={name: number for number, name in enumerate(sorted(reader.id for reader in readers))},
    )


def minute_of(at: datetime) -> float:
    """Minutes since 1970, the planner's clock."""
    return (at - _EPOCH).total_seconds() / 60.0


def _none_first(name: str | None) -> tuple[bool, str]:
    return name is not None, name or ""


def _in_order(key: ClassKey) -> tuple[str, ...]:
    return (
        key.origin,
        " ".join(sorted(key.modalities)),
        key.subspecialty,
        str(int(key.minimum_level)),
        key.exam_code or "",
        key.exam_group or "",
        str(key.exam_code is None) + str(key.exam_group is None),
        " ".join(sorted(key.session_kinds)),
    )
