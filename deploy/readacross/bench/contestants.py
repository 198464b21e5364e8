"""Who takes part: servers started for one measurement in a folder of their own, and stopped by their process id."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from readacross.bench.synthetic import Study

CALLING = "BENCH"
"""AE title of whoever sends and asks."""
RECEIVER, STOCK_RECEIVER = "BENCH_FAST", "BENCH_STOCK"
"""AE titles of where a C-MOVE may go: a receiver that acknowledges at once, and DCMTK's storescp."""


class NotInstalled(Exception):
    """The contestant's program is not on this machine; says which."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a contestant is told: where it may write, and where its C-MOVE destinations listen."""

    folder: Path
    destinations: Mapping[str, int] = field(default_factory=dict)
    """AE title → port."""
    maximum_associations: int = 100


@dataclass(frozen=True, slots=True)
class Stored:
    """What a contestant has: how many instances, and digests of data sets by SOP Instance UID."""

    instances: int
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """What is looked at after a measurement: all studies are counted, `most` instances of each compared."""

    studies: Sequence[Study]
    most: int

    def numbers(self, study: Study) -> range:
        """Evenly spread over the study."""
        return range(0, study.count, max(1, study.count // self.most))

    @property
    def uids(self) -> list[str]:
        return [study.sop_instance_uid(number) for study in self.studies for number in self.numbers(study)]

    def fault_in(self, stored: Stored) -> str | None:
        """What is wrong with what a contestant has, if anything is."""
        expected = sum(study.count for study in self.studies)
        if stored.instances != expected:
            return f"{stored.instances} of {expected} instances stored"
        wrong = missing = 0
        for study in self.studies:
            for number in self.numbers(study):
                digest = stored.digests.get(study.sop_instance_uid(number))
                missing += digest is None
                wrong += digest is not None and digest != study.instance(number).digest
        if wrong or missing:
            return f"of the instances compared, {wrong} have another content and {missing} are not there"
        return None


class Contestant(Protocol):
    """A server that takes images in. One object is started and stopped many times."""

    name: str
    """As it stands in tables."""
    keeps_running: bool
    """Whether it goes on from round to round instead of beginning with an empty folder."""
    ae_title: str
    port: int

    @property
    def session(self) -> int:
        """Session id of its processes."""

    def version(self) -> str:
        """What the program says it is.

        Raises:
            NotInstalled: it is not there.
        """

    def start(self, surroundings: Surroundings) -> None:
        """Start and wait until it listens."""

    def stored(self, sample: Sample) -> Stored:
        """What it has; digests at least of the instances of the sample."""

    def rest(self) -> None:
        """What it does between two measurements, where it keeps running."""

    def stop(self) -> None:
        """Stop it; idempotent."""


def program(name: str, *places: str) -> str:
    """Full path of a program, looked for in `places` first: a venv with pynetdicom shadows DCMTK's names.

    Raises:
        NotInstalled: it is nowhere.
    """
    for place in places:
        if (Path(place) / name).exists():
            return str(Path(place) / name)
    found = shutil.which(name)
    if found is None:
        raise NotInstalled(f"{name} is not installed")
    return found
