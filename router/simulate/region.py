"""A region as arrays: classes of studies, readers, who may read what and how fast.

A *class* is trust × exam × pathway. Its target is fixed, so that within it first come is earliest due, and a policy
needs to look at heads of classes only.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.simulate.assumptions import Assumptions, Demand, RegionSettings, Trust

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

GENERAL = "general"


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """Arrays of length `classes`; minutes are the expected ones (mean of the log-normal), for a matched reader."""

    trust: Ints
    exam: Ints
    pathway: Ints
    weekly: Floats
    median: Floats
    sigma: Floats
    minutes: Floats
    target: Floats
    weight: Floats
    rank: Ints
    acute: Flags
    may_wait: Flags
    subspecialty: Ints
    level: Ints

    def __len__(self) -> int:
        return len(self.trust)


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """What stays the same over seeds and policies."""

    name: str
    struck: str
    trusts: tuple[Trust, ...]
    exams: tuple[str, ...]
    pathways: tuple[str, ...]
    subspecialties: tuple[str, ...]
    classes: Classes

    def trust_index(self, ods: str) -> int:
        """Position of the trust; `struck` is the one that the region names as such."""
        return [trust.ods for trust in self.trusts].index(self.struck if ods == "struck" else ods)


def build_region(assumptions: Assumptions, settings: RegionSettings, demand: list[Demand]) -> Region:
    """Lay the region out, with `demand` changing how many studies come."""
    rows: list[tuple[int, int, int, float]] = []
    exams, pathways = tuple(assumptions.exams), tuple(assumptions.pathways)
    for t, trust in enumerate(settings.trusts):
        for exam_id, pathway_id, weekly in _weekly(assumptions, settings, trust):
            modality = assumptions.exams[exam_id].modality
            for change in demand:
                if change.fits(trust.ods, exam_id, modality, pathway_id):
                    weekly *= change.times
            if weekly > 0:
                rows.append((t, exams.index(exam_id), pathways.index(pathway_id), weekly))
    subspecialties = tuple(dict.fromkeys(exam.subspecialty for exam in assumptions.exams.values()))
    classes = _classes(assumptions, rows, subspecialties)
    return Region(settings.name, settings.struck, tuple(settings.trusts), exams, pathways, subspecialties, classes)


def _weekly(assumptions: Assumptions, settings: RegionSettings, trust: Trust) -> list[tuple[str, str, float]]:
    """Studies a week of one trust by exam and pathway."""
    shares = {exam_id: exam.share * trust.only.get(exam_id, 1.0) for exam_id, exam in assumptions.exams.items()}
    whole = sum(shares.values())
    found = []
    for exam_id, exam in assumptions.exams.items():
        mix = {
            pathway: part * (trust.acute if assumptions.pathways[pathway].acute else 1.0)
            for pathway, part in exam.mix.items()
        }
        parts = sum(mix.values())
        if parts > 0:
            exams = settings.studies * trust.share * shares[exam_id] / whole
            found += [(exam_id, pathway, exams * part / parts) for pathway, part in mix.items()]
    return found


def _classes(
    assumptions: Assumptions, rows: list[tuple[int, int, int, float]], subspecialties: tuple[str, ...]
) -> Classes:
    exams, pathways = list(assumptions.exams.values()), list(assumptions.pathways.values())
    trust, exam, pathway = (np.array([row[i] for row in rows], np.int64) for i in range(3))
    median = np.array([exams[e].minutes for e in exam])
    sigma = np.array([exams[e].sigma for e in exam])
    return Classes(
        trust=trust,
        exam=exam,
        pathway=pathway,
        weekly=np.array([row[3] for row in rows]),
        median=median,
        sigma=sigma,
        minutes=median * np.exp(sigma**2 / 2),
        target=np.array([pathways[p].target for p in pathway]),
        weight=np.array([pathways[p].weight for p in pathway]),
        rank=np.array([pathways[p].rank for p in pathway], np.int64),
        acute=np.array([pathways[p].acute for p in pathway]),
        may_wait=np.array([pathways[p].may_wait for p in pathway]),
        subspecialty=np.array([subspecialties.index(exams[e].subspecialty) for e in exam], np.int64),
        level=np.array([exams[e].level for e in exam], np.int64),
    )
