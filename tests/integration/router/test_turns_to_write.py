"""Who gets no turn to write is told that the database is busy, and may ask again."""

import pytest

from router.store import write_turns
from router.store.transaction import SqlStore
from tests.integration.router.region import Region, settled


def test_a_node_that_gets_no_turn_is_told_to_send_again(sqlite_region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    region = sqlite_region
    store: SqlStore = region.client.app.state.services.store  # type: ignore[attr-defined]
    monkeypatch.setattr(write_turns, "_PATIENCE_S", 0.05)
    fact = region.rxn.fact(settled())
    with store.write():
        answer = region.rxn.post(fact)
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    assert region.rxn.post(fact).json() == {"accepted_through": 1}
