"""Which reads have been told why they wait, so that only what is new is written down."""

import hashlib
import json
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from router.flows.ports import Store
from router.rules.planning import Wait
from router.rules.planning.storing import explanation_json

_WAITS_A_COMMIT = 200
_GONE_AT_MOST = 20_000

_Gist = tuple[str, str]
"""Digest of what it says but for the times, and the due time."""


class WaitsTold:
    """What the database says of waiting reads; what this planner has not written is looked up once."""

    def __init__(self) -> None:
        self._gists: dict[str, _Gist] = {}

    @property
    def read_ids(self) -> Container[str]:
        """Reads that have been told."""
        return self._gists.keys()

    def tell(self, store: Store, waits: Sequence[Wait], waiting: int) -> None:
        """Write down why reads wait, where that says something new; `waiting` is how many wait in all."""
        if len(self._gists) > max(_GONE_AT_MOST, 2 * waiting):
            self._gists = {}
        self._look_up(store, [wait.read_id for wait in waits if wait.read_id not in self._gists])
        news = list(self._news(waits))
        for start in range(0, len(news), _WAITS_A_COMMIT):
            some = news[start : start + _WAITS_A_COMMIT]
            with store.write() as tx:
                tx.reads.explain_waiting([(read_id, stored) for read_id, stored, _ in some])
            self._gists.update({read_id: gist for read_id, _, gist in some})

    def forget(self, read_ids: Iterable[str]) -> None:
        """These have changed: whatever is said of them now is new."""
        for read_id in read_ids:
            self._gists.pop(read_id, None)

    def _look_up(self, store: Store, read_ids: Sequence[str]) -> None:
        if read_ids:
            with store.read() as tx:
                self._gists.update({read_id: _gist_of(stored) for read_id, stored in tx.reads.waiting(read_ids)})

    def _news(self, waits: Sequence[Wait]) -> Iterable[tuple[str, dict[str, Any], _Gist]]:
        alike: dict[tuple[int, bool], tuple[dict[str, Any], str]] = {}
        for wait in waits:
            why = wait.explanation
            key = id(why.exclusions), why.given_up  # one object for all that are alike
            if key not in alike:
                stored = explanation_json(why)
                alike[key] = stored, _digest(stored)
            stored, digest = alike[key]
            gist = (digest, why.due_at.isoformat())
            if self._gists.get(wait.read_id) != gist:
                yield wait.read_id, stored | {"due_at": gist[1]}, gist


def _gist_of(stored: Mapping[str, Any]) -> _Gist:
    return _digest(stored), str(stored.get("due_at"))


def _digest(stored: Mapping[str, Any]) -> str:
    said = {key: value for key, value in stored.items() if key not in {"considered_at", "due_at"}}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
