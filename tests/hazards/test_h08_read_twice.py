"""Hazard 8: one read, read by two; the claim is atomic: of many claims at once exactly one wins.

Claims come over real HTTP from as many threads, on both databases, and to two replicas of the router on one PostgreSQL.
"""

import json
import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from router.app import create_app
from tests.hazards.conftest import serving
from tests.integration.router.region import Region, issue, running_region, settled

CLAIMS = 200
READERS = 8


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]


@dataclass
class Crowd:
    """Readers' systems that call one or more replicas of a router at the same moment."""

    region: Region
    urls: Sequence[str]
    tokens: Sequence[str]

    def post(self, replica: int, path: str, reader: int, body: dict[str, Any] | None = None) -> Answer:
        """One call over a connection of its own, by the reader with this place in `tokens`."""
        connection = HTTPConnection(urlsplit(self.urls[replica % len(self.urls)]).netloc, timeout=60)
        headers = {"Authorization": f"Bearer {self.tokens[reader]}", "Content-Type": "application/json"}
        try:
            connection.request("POST", path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            return Answer(answer.status, json.loads(answer.read()))
        finally:
            connection.close()

    def claim_at_once(self, claims: Sequence[tuple[str, int]]) -> list[Answer]:
        """Claim each (read id, reader) from a thread of its own; the replicas take turns."""
        together = threading.Barrier(len(claims))

        def claim(number: int) -> Answer:
            read_id, reader = claims[number]
            together.wait(30)
            return self.post(number, f"/reads/{read_id}/claim", reader)

        with ThreadPoolExecutor(len(claims)) as pool:
            return list(pool.map(claim, range(len(claims))))

    def settle(self, count: int) -> list[str]:
        """Ids of as many READY reads."""
        self.region.rxn.say(*(settled(f"1.2.{number}") for number in range(count)))
        ready = self.region.get("/reads", state="READY")
        assert len(ready) == count
        return [read["id"] for read in ready]


def gathered(folder: Path, database_url: str, replicas: int) -> Iterator[Crowd]:
    with ExitStack() as stack:
        region = stack.enter_context(running_region(folder, database_url, readers=READERS))
        apps = [region.client.app]
        apps += [create_app(region.settings, region.clock, plan_in_background=False) for _ in range(replicas - 1)]
        for replica in apps[1:]:
            stack.callback(replica.state.services.store.database.dispose)
        urls = [stack.enter_context(serving(app)) for app in apps]
        tokens = [issue(region.client, "reader", f"reader-{n}") for n in range(1, READERS + 1)]
        yield Crowd(region, urls, tokens)


@pytest.fixture
def crowd(tmp_path: Path, database_url: str) -> Iterator[Crowd]:
    yield from gathered(tmp_path / "region", database_url, replicas=1)


@pytest.fixture
def two_replicas(tmp_path: Path, postgresql_url: str) -> Iterator[Crowd]:
    yield from gathered(tmp_path / "region", postgresql_url, replicas=2)


def check_that_one_won(crowd: Crowd, answers: Sequence[Answer], read_id: str) -> None:
    """One reader has the token (and may be told it again), everybody else is refused in words.

    One lease, one history entry, one order for the images.
    """
    won = [answer.body for answer in answers if answer.status == 200]
    assert len({answer["transaction_uid"] for answer in won}) == 1, Counter(answer.status for answer in answers)
    lost = {(answer.status, answer.body["error"]) for answer in answers if answer.status != 200}
    assert lost <= {(409, "transition_refused"), (403, "not_allowed")}
    read = crowd.region.get(f"/reads/{read_id}")
    assert (read["state"], read["lease"]["epoch"]) == ("READING", 1)
    assert read["lease"] == won[0]["read"]["lease"]
    assert len(crowd.region.get(f"/reads/{read_id}/why")["assignments"]) == 1
    events = Counter(crowd.region.events(read["study_instance_uid"]))
    assert events["read.claimed"] == 1
    assert events["order.fetch"] + events["order.deliver"] == 1
    holder = int(read["lease"]["reader_id"].removeprefix("reader-")) - 1
    token = {"transaction_uid": won[0]["transaction_uid"]}
    beat = crowd.post(-1, f"/reads/{read_id}/heartbeat", holder, token)
    assert beat.status == 200, "the winner's token is the live one"


def test_of_two_hundred_claims_of_one_read_by_many_readers_one_wins(crowd: Crowd) -> None:
    (read_id,) = crowd.settle(1)
    answers = crowd.claim_at_once([(read_id, number % READERS) for number in range(CLAIMS)])
    check_that_one_won(crowd, answers, read_id)


def test_an_offer_claimed_two_hundred_times_by_its_reader_is_claimed_once(crowd: Crowd) -> None:
    (read_id,) = crowd.settle(1)
    crowd.region.plan()
    assert crowd.region.read()["lease"]["reader_id"] == "reader-1"
    answers = crowd.claim_at_once([(read_id, 0)] * CLAIMS)
    check_that_one_won(crowd, answers, read_id)
    assert all(answer.status in {200, 409} for answer in answers)


@pytest.mark.peers("postgresql")
def test_two_replicas_together_give_each_read_once(two_replicas: Crowd) -> None:
    reads = two_replicas.settle(5)
    claims = [(read_id, number % READERS) for read_id in reads for number in range(CLAIMS // len(reads))]
    random.Random(8).shuffle(claims)
    answers = two_replicas.claim_at_once(claims)
    for read_id in reads:
        mine = [answer for answer, (claimed, _) in zip(answers, claims, strict=True) if claimed == read_id]
        check_that_one_won(two_replicas, mine, read_id)


@pytest.mark.peers("postgresql")
def test_of_two_hundred_claims_of_one_read_at_two_replicas_one_wins(two_replicas: Crowd) -> None:
    (read_id,) = two_replicas.settle(1)
    answers = two_replicas.claim_at_once([(read_id, number % READERS) for number in range(CLAIMS)])
    check_that_one_won(two_replicas, answers, read_id)
