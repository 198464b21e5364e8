"""The JSON file of a measurement: everything that was measured, and on what."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from readacross.bench.figures import Run
from readacross.bench.machine import description


class CannotMeasure(Exception):
    """Nothing can be measured here; says why."""


@dataclass
class Result:
    """One run of one subcommand. `runs` has a flat entry for each measurement, in the order in which they were made."""

    bench: str
    command: str
    started_at: str
    machine: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    """Contestant → why it did not take part."""
    runs: list[Run] = field(default_factory=list)

    @classmethod
    def begin(cls, bench: str, folder: Path, options: Mapping[str, Any]) -> Self:
        """A result without runs, stamped with now, the machine and the command line."""
        command = " ".join(["readacross", *sys.argv[1:]])
        return cls(bench, command, datetime.now(UTC).isoformat(timespec="seconds"), description(folder), dict(options))

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read what `save` wrote."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))

    def save(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self), indent=1, default=str) + "\n", encoding="utf-8")

    @property
    def failures(self) -> list[str]:
        """What failed, in words."""
        return [
            f"{run.get('contestant', '')}, round {run['round']}: {run['failure']}" for run in self.runs if not run["ok"]
        ]
