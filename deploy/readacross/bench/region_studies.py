"""Studies of `bench region` as facts a node would send: JSON made by hand, because the sender must cost little."""

import hashlib
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from readacross.bench.region_seeds import INSTANCES, InventedExam, exams

_ROOT = "1.2.826.0.1.3680043.10.999"
_SOP_CLASS, _SYNTAX = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"


@dataclass(frozen=True, slots=True)
class InventedStudy:
    """One study with what the node says of it."""

    number: int
    origin: str
    exam: InventedExam

    @property
    def uid(self) -> str:
        return f"{_ROOT}.{self.number}"

    @property
    def instances(self) -> int:
        return INSTANCES[self.exam.modality]

    def settled(self, study_time: datetime) -> dict[str, Any]:
        """The fact's body."""
        return {
            "kind": "study.settled",
            "study": {
                "study_instance_uid": self.uid,
                "origin": self.origin,
                "accession_number": f"A{self.number}",
                "accession_issuer": self.origin,
                "patient": {"issuer": self.origin, "patient_id": f"P{self.number}"},
            },
            "revision": 1,
            "study_time": study_time.isoformat(),
            "modalities": [self.exam.modality],
            "description": f"{self.exam.modality} {self.exam.subspecialty}",
            "exam_code": {"value": self.exam.code, "scheme": "NICIP"},
            "body_part": None,
            "sending_ae_title": "MODALITY",
            "manifest": {"entries": [self._instance(number) for number in range(self.instances)]},
        }

    def manifest_digest(self) -> str:
        """As `dicom_nodes.contract.Manifest.digest`."""
        lines = (f"{entry['sop_instance_uid']} {entry['digest']}\n" for entry in map(self._instance, self._numbers()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def _numbers(self) -> range:
        return range(self.instances)

    def _instance(self, number: int) -> dict[str, Any]:
        return {
            "sop_instance_uid": f"{self.uid}.1.{number:04}",
            "sop_class_uid": _SOP_CLASS,
            "series_instance_uid": f"{self.uid}.1",
            "transfer_syntax_uid": _SYNTAX,
            "digest": f"{self.number:032x}{number:032x}",
            "size_bytes": 526_336,
        }


class StudySource:
    """An endless, repeatable run of studies."""

    def __init__(self, trust_codes: list[str], seed: int, first_number: int = 1) -> None:
        self._chance = random.Random(seed)
        self._trusts, self._exams = trust_codes, exams()
        self._shares = [exam.share for exam in self._exams]
        self._number = first_number

    def next(self) -> InventedStudy:
        (exam,) = self._chance.choices(self._exams, self._shares)
        study = InventedStudy(self._number, self._chance.choice(self._trusts), exam)
        self._number += 1
        return study

    def earlier(self, now: datetime) -> datetime:
        """A study time some time ago."""
        return now - timedelta(minutes=self._chance.uniform(1, 600))


def wall_clock() -> datetime:
    """Now, aware."""
    return datetime.now(UTC)
