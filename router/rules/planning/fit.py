"""Who may read what, and how well, as one matrix (readers, classes): kept while neither changes."""

from dataclasses import dataclass

import numpy as np

from router.rules.planning.arrays import AidArrays, BoolArray, ClassArrays, FloatArray, ReaderArrays
from router.rules.planning.tuning import Tuning


@dataclass(frozen=True, slots=True)
class Fit:
    """(R, C): `eligible` by credential, scope, level and agreement; `speed` the share of a standard minute's work
    that a minute of this reader does, 0 where not eligible; `away` where reader and origin differ; `share` is
    `eligible` as numbers, for products."""

    eligible: BoolArray
    speed: FloatArray
    log_speed: FloatArray
    away: BoolArray
    share: FloatArray


def fit_of(
    readers: ReaderArrays, classes: ClassArrays, aid: AidArrays, tuning: Tuning, besides: BoolArray | None = None
) -> Fit:
    """Work the matrix out; `besides` (R, C) is what must hold as well."""
    level = readers.level[:, classes.subspecialty]
    away = readers.employer[:, None] != classes.origin[None, :]
    agreed = ~away | aid.reads_for[readers.employer][:, classes.origin]
    eligible = readers.credential[:, classes.origin] & readers.scope[:, classes.group] & agreed
    eligible &= (level >= classes.minimum_level) & (level > 0)
    if besides is not None:
        eligible &= besides
    speed = readers.speed[:, classes.group] * np.asarray(tuning.level_factors)[level]
    speed = np.where(eligible, speed * np.where(away, tuning.cross_trust_factor, 1.0), 0.0)
    with np.errstate(divide="ignore"):
        return Fit(eligible, speed, np.log(speed), away, eligible.astype(np.float64))
