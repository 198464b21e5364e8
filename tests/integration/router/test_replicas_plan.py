"""Two routers on one PostgreSQL, each planning from what it keeps; one is killed. No read is lost or given twice."""

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from router.app import create_app, open_store
from router.config import RouterSettings, load_router_settings
from router.store import planner_rounds
from router.store.transaction import SqlStore
from router.web.network import issue_checked
from tests.integration.router.region import settled, write_region
from tests.integration.router.test_serving import fact_batch, process
from tests.peers.processes import wait_until

READS, READERS = 12, 3


def region_of_today(folder: Path, database_url: str) -> RouterSettings:
    """Sessions that are open now, long lists, and planners that look at every tenth of a second."""
    settings = write_region(folder, database_url, readers=READERS, plan_every_s=0.1)
    hour, now = timedelta(hours=1), datetime.now(UTC).replace(microsecond=0)
    readers, router = folder / "readers.toml", folder / "router.toml"
    text = readers.read_text().replace("2026-11-02T08:00:00Z", (now - hour).isoformat())
    text = text.replace("2026-11-02T18:00:00Z", (now + 9 * hour).isoformat())
    far = {"2026-01-01T00:00:00Z": now - 99 * hour, "2027-01-01T00:00:00Z": now + 99 * hour}
    for before, at in far.items():
        text = text.replace(before, at.isoformat())
    readers.write_text(text)
    router.write_text(router.read_text().replace("claim_timeout_s", f"list_length = {READS}\nclaim_timeout_s"))
    return load_router_settings(settings.file)


class Staff:
    """Calls the routers in turn, and goes on with those that are left."""

    def __init__(self, settings: RouterSettings, addresses: list[str], client: httpx2.Client) -> None:
        self.addresses, self._client, self._turn = addresses, client, 0
        names = [f"reader-{n}" for n in range(1, READERS + 1)]
        store = open_store(settings)
        with store.write() as tx:
            self.node, self._admin, *readers = (
                {"Authorization": f"Bearer {issue_checked(tx, role, subject, datetime.now(UTC))[1]}"}
                for role, subject in (("node", "RXN"), ("admin", "test"), *(("reader", name) for name in names))
            )
        store.database.dispose()
        self.readers = dict(zip(names, readers, strict=True))

    def get(self, path: str) -> Any:
        return self._client.get(f"{self._next()}{path}", headers=self._admin).raise_for_status().json()

    def act(self, read: dict[str, Any], what: str, **body: Any) -> None:
        """What the holder does; a planner may have been faster."""
        headers = self.readers[read["lease"]["reader_id"]]
        answer = self._client.post(f"{self._next()}/reads/{read['id']}/{what}", json=body, headers=headers)
        assert answer.status_code in {200, 403, 409}, answer.text

    def _next(self) -> str:
        self._turn += 1
        return self.addresses[self._turn % len(self.addresses)]


@pytest.mark.peers("postgresql")
def test_two_routers_of_which_one_is_killed_give_each_read_once(tmp_path: Path, postgresql_url: str) -> None:
    settings = region_of_today(tmp_path, postgresql_url)
    with process(settings) as (_, first), process(settings) as (killed, second), httpx2.Client(timeout=60) as client:
        staff = Staff(settings, [first, second], client)
        node = {**staff.node, "Content-Type": "application/json"}
        facts = fact_batch(*[settled(f"1.2.{number}") for number in range(READS)])
        client.post(f"{second}/node/v1/facts", content=facts, headers=node).raise_for_status()
        places = {read["id"]: number for number, read in enumerate(staff.get("/reads"))}
        rounds = [0]

        def everybody_has_theirs() -> bool:
            rounds[0] += 1
            if rounds[0] == 2:
                killed.kill()
                killed.wait(10)
                staff.addresses.remove(second)
            found = [_goes_on(staff, read, places[read["id"]] % 3) for read in staff.get("/reads")]
            return all(found)

        wait_until(everybody_has_theirs, "every read to be where it belongs", 90.0)
        assert killed.returncode == -signal.SIGKILL
        for read_id in places:
            _check_history(staff, read_id)


def _goes_on(staff: Staff, read: dict[str, Any], kind: int) -> bool:
    """Every third read is claimed, every third declined by its first holder, and the others left on their lists."""
    if read["state"] == "READING":
        return kind == 1
    if read["state"] != "ASSIGNED":
        return False
    if kind == 1:
        staff.act(read, "claim")
    elif kind == 0 and not any(a["outcome"] == "decline" for a in _assignments(staff, read["id"])):
        staff.act(read, "decline", transaction_uid=None, reason="known to me")
    else:
        return True
    return False


def _assignments(staff: Staff, read_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = staff.get(f"/reads/{read_id}/why")["assignments"]
    return found


def _check_history(staff: Staff, read_id: str) -> None:
    history = _assignments(staff, read_id)
    assert [a["epoch"] for a in history] == list(range(1, len(history) + 1))
    assert [a["outcome"] is None for a in history] == [False] * (len(history) - 1) + [True]
    for number, given in enumerate(history):
        declined = {a["reader_id"] for a in history[:number] if a["outcome"] == "decline"}
        assert given["reader_id"] not in declined
    read = staff.get(f"/reads/{read_id}")
    assert read["lease"]["reader_id"] == history[-1]["reader_id"]
    (studies,) = staff.get(f"/ledger?study_instance_uid={read['study_instance_uid']}")
    events = Counter(entry["event"] for entry in studies["entries"])
    assert events["order.fetch"] + events["order.deliver"] == len(history)


def test_a_round_that_another_one_had_the_lock_for_is_due_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(write_region(tmp_path, f"sqlite:///{tmp_path}/router.sqlite", plan_every_s=3600.0))
    store: SqlStore = app.state.services.store
    asked, lock = [0], store.planner_lock

    @contextmanager
    def counted() -> Iterator[bool]:
        with lock() as mine:
            asked[0] += 1
            yield mine

    monkeypatch.setattr(store, "planner_lock", counted)
    with ExitStack() as running, ExitStack() as held:
        assert held.enter_context(lock())
        running.enter_context(TestClient(app))
        wait_until(lambda: asked[0] >= 2, "the planner to find that it is not its turn")
        assert _last_round(store) is None
        held.close()
        wait_until(lambda: _last_round(store), "a whole round")


def _last_round(store: SqlStore) -> datetime | None:
    with store.read() as tx:
        return planner_rounds.last(tx.connection)
