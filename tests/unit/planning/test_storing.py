"""Explanations are stored by reason and shown by reader."""

from router.rules.planning import Excluded, Exclusion, Explanation
from router.rules.planning.storing import explanation_json, in_full
from tests.unit.router.people import NOW

_FAR, _SCOPE = ("no valid credential for trust RXN",), ("modality CT is outside the reader's scope", "on leave")


def test_readers_with_the_same_reasons_are_stored_together_and_shown_one_by_one() -> None:
    excluded = Excluded.of([Exclusion("c", _FAR), Exclusion("a", _FAR), Exclusion("b", _SCOPE)])
    stored = explanation_json(Explanation("rule", NOW, NOW, (), excluded, "nobody"))
    assert stored["exclusions"] == [
        {"reasons": list(_FAR), "readers": ["c", "a"]},
        {"reasons": list(_SCOPE), "readers": ["b"]},
    ]
    assert in_full(stored)["exclusions"] == [
        {"reader_id": "a", "reasons": list(_FAR)},
        {"reader_id": "b", "reasons": list(_SCOPE)},
        {"reader_id": "c", "reasons": list(_FAR)},
    ]


def test_an_explanation_of_an_earlier_version_is_shown_as_it_was_stored() -> None:
    old = {"choice": "x", "exclusions": [{"reader_id": "a", "reasons": ["on leave"]}]}
    assert in_full(old) == old
