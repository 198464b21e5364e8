"""What a plan is made of and what it says: the snapshot, the decisions, and the explanation stored with each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import overload

from router.model.aid import AidBook
from router.model.reader import Level, ReaderOnDuty
from router.model.session import SessionKind
from router.rules.eligibility import Need
from router.rules.planning.arrays import FloatArray

RULE = (
    "acute first; then what is most worth this reader's next minutes: weight and nearness of the due time (late: due "
    "now, or after all others where it may wait), against the minutes it takes, how well the reader suits it and who "
    "else could read it; who had the read before and did not finish it comes last"
)
RULE_VERSION = "index-prices/3"


@dataclass(frozen=True, slots=True)
class PlannableRead:
    """A read that nobody has begun; `epoch` is the lease count it had when the snapshot was taken.

    `weight` is what a breach of it costs. `may_wait`: it makes room for others when not all can be in time, and once
    late it goes after what still can be; any other read counts as due now then, and ever more. `holder` has it on the
    list already, and it may still go to somebody else.
    """

    need: Need
    due_at: datetime
    epoch: int
    weight: float = 1.0
    arrived_at: datetime | None = None
    holder: str | None = None
    may_wait: bool = False

    @property
    def stakes(self) -> tuple[str, datetime, float]:
        """What was judged when it was given up: an order, a rule or a person who changes that saves the read."""
        return self.need.read_id, self.due_at, self.weight


@dataclass(frozen=True, slots=True)
class InHand:
    """A read that a reader is reading now, or has on the list and nobody may move."""

    reader_id: str
    expected_minutes: float
    exam_group: str | None = None


@dataclass(frozen=True, slots=True)
class ClassKey:
    """What makes reads suit the same readers equally well."""

    origin: str
    modalities: frozenset[str]
    subspecialty: str
    minimum_level: Level
    exam_code: str | None
    exam_group: str | None
    session_kinds: frozenset[SessionKind]

    @staticmethod
    def of(need: Need) -> "ClassKey":
        return ClassKey(
            need.origin,
            need.modalities,
            need.subspecialty,
            need.minimum_level,
            need.exam_code,
            need.exam_group,
            need.session_kinds,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Ahead:
    """What was found when the region was planned ahead, valid until `until`, in names instead of rows.

    `tips` (readers, classes): see `Guidance.pair`. `given_up`: what makes room for others (`PlannableRead.stakes`).
    `short`: ids of what may not wait and cannot be in time either.
    """

    until: datetime
    readers: Mapping[str, int]
    classes: Mapping[ClassKey, int]
    tips: FloatArray
    given_up: frozenset[tuple[str, datetime, float]]
    short: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ListLengths:
    """How many reads may be on a pushed list, the one in hand included, and how many more acute ones."""

    reads: int = 3
    acute_more: int = 1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All a plan depends on. `ahead` is what planning ahead found; None: the index runs alone."""

    now: datetime
    reads: tuple[PlannableRead, ...]
    readers: tuple[ReaderOnDuty, ...]
    aid: AidBook = field(default_factory=AidBook)
    in_hand: tuple[InHand, ...] = ()
    lists: ListLengths = field(default_factory=ListLengths)
    ahead: Ahead | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """`had_it` before: it lapsed, was lost or was taken back. `queue` reads come before it at this reader.

    `index` is the natural logarithm of the index, the read's urgency included; the others are its parts that differ
    between readers.
    """

    reader_id: str
    session_id: str
    minutes_left: float
    had_it: bool = False
    queue: int = 0
    index: float = 0.0
    match: float = 0.0
    scarcity: float = 0.0
    session: float = 0.0
    comfort: float = 0.0
    planned: float = 0.0


@dataclass(frozen=True, slots=True)
class Exclusion:
    reader_id: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Excluded(Sequence[Exclusion]):
    """Exclusions by reader id, kept as what they are alike in: (reasons, reader ids) of hundreds in a few groups."""

    groups: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()

    @staticmethod
    def of(exclusions: Iterable[Exclusion]) -> "Excluded":
        alike: dict[tuple[str, ...], list[str]] = {}
        for exclusion in exclusions:
            alike.setdefault(exclusion.reasons, []).append(exclusion.reader_id)
        return Excluded(tuple((reasons, tuple(readers)) for reasons, readers in alike.items()))

    def __len__(self) -> int:
        return sum(len(readers) for _, readers in self.groups)

    def __iter__(self) -> Iterator[Exclusion]:
        pairs = sorted((reader, reasons) for reasons, readers in self.groups for reader in readers)
        return (Exclusion(reader, reasons) for reader, reasons in pairs)

    @overload
    def __getitem__(self, at: int) -> Exclusion: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Exclusion]: ...
    def __getitem__(self, at: int | slice) -> Exclusion | Sequence[Exclusion]:
        return tuple(self)[at]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Stored with the decision: who was eligible, who was not and why, and what was chosen.

    `candidates` come best first and had room when the choice was made, `candidate_count` of them; `not_now` could
    read it and had none. A read that waits names the readers nearest to eligible; `others` counts further reasons.
    `given_up`: not all can be in time, and this read makes room for now. `inputs` is the digest of all that the plan
    was made from.
    """

    rule: str
    considered_at: datetime
    due_at: datetime
    candidates: tuple[Candidate, ...]
    exclusions: Excluded
    choice: str
    not_now: Excluded = Excluded()
    candidate_count: int = 0
    others: tuple[tuple[str, int], ...] = ()
    acute: bool = False
    given_up: bool = False
    urgency: float | None = None
    version: str = RULE_VERSION
    inputs: str = ""


@dataclass(frozen=True, slots=True)
class Assign:
    """`need` is what was weighed: carried out only while it is still what the read asks for.

    `moved_from` is the reader whose list it leaves.
    """

    read_id: str
    need: Need
    epoch: int
    reader_id: str
    session_id: str
    expected_minutes: float
    explanation: Explanation
    moved_from: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Nobody can take it now."""

    read_id: str
    explanation: Explanation


Decision = Assign | Wait
