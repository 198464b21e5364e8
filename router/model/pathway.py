"""Clinical pathways: how soon a report is due, and how much a breach of it weighs."""

from dataclasses import dataclass

from router.model.session import SessionKind

PATHWAY_IDS = (
    "emergency",
    "stroke",
    "cauda_equina",
    "trauma",
    "inpatient",
    "cancer_lung",
    "cancer_colorectal",
    "cancer_prostate",
    "cancer_upper_gi",
    "urgent",
    "routine",
)
"""The pathways that the seeds know; a network may configure others."""


@dataclass(frozen=True, slots=True)
class Pathway:
    """`target_minutes` from the examination to the verified report; `weight` of a breach beside the others'.

    `may_wait`: its reads make room for others when not all can be in time, and once late they go after what still can
    be. Those of every other pathway are never given up, and once late they count as due now, and ever more.
    `session_kinds` are the kinds of session in which it may be read; empty means in any.
    """

    id: str
    target_minutes: float
    weight: float
    acute: bool = False
    session_kinds: frozenset[SessionKind] = frozenset()
    may_wait: bool = False
