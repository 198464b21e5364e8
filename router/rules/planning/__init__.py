"""Who gets what: `plan(snapshot)` over the domain's objects, and under it one pure choice over numpy arrays.

The simulator calls `next_choices` and `plan_region` with arrays of its own; production calls the same through `plan`.
"""

from router.rules.planning.arrays import (
    NO_READER,
    AidArrays,
    BarredPairs,
    ClassArrays,
    DutyArrays,
    ForecastArrays,
    Guidance,
    PlanningProblem,
    ReaderArrays,
    SessionArrays,
    WaitingArrays,
)
from router.rules.planning.decisions import (
    RULE,
    RULE_VERSION,
    Ahead,
    Assign,
    Candidate,
    ClassKey,
    Decision,
    Excluded,
    Exclusion,
    Explanation,
    InHand,
    ListLengths,
    PlannableRead,
    Snapshot,
    Wait,
)
from router.rules.planning.fit import Fit, fit_of
from router.rules.planning.index import Choices, next_choices, next_read
from router.rules.planning.kept import Kept
from router.rules.planning.outlook import plan_region
from router.rules.planning.planner import plan, replayed, weigh
from router.rules.planning.tuning import Tuning
from router.rules.planning.weights import weight_of

__all__ = [
    "NO_READER",
    "RULE",
    "RULE_VERSION",
    "Ahead",
    "AidArrays",
    "Assign",
    "BarredPairs",
    "Candidate",
    "Choices",
    "ClassArrays",
    "ClassKey",
    "Decision",
    "DutyArrays",
    "Excluded",
    "Exclusion",
    "Explanation",
    "Fit",
    "ForecastArrays",
    "Guidance",
    "InHand",
    "Kept",
    "ListLengths",
    "PlannableRead",
    "PlanningProblem",
    "ReaderArrays",
    "SessionArrays",
    "Snapshot",
    "Tuning",
    "Wait",
    "WaitingArrays",
    "fit_of",
    "next_choices",
    "next_read",
    "plan",
    "plan_region",
    "replayed",
    "weigh",
    "weight_of",
]
