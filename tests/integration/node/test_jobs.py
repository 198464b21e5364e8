"""Leased jobs on both databases: nothing is done by two, nothing is dropped."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import MetaData

from dicom_nodes.foundation.database import Database, open_database
from dicom_nodes.foundation.jobs import Job, JobQueue, JobState, LeaseLost, job_table


class SetClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = open_database(database_url)
    yield database
    database.dispose()


@pytest.fixture
def queue(database: Database, clock: SetClock) -> JobQueue:
    metadata = MetaData()
    table = job_table(metadata)
    metadata.create_all(database.engine)
    return JobQueue(database, table, clock)


def enqueue(database: Database, queue: JobQueue, key: str, **options: object) -> None:
    with database.write() as connection:
        queue.enqueue(connection, kind="archive", key=key, destination="pacs", **options)  # type: ignore[arg-type]


def leased(queue: JobQueue, **options: int) -> Job:
    job = queue.lease(["archive"], lease_s=60, **options)
    assert job is not None
    return job


def test_a_job_rolled_back_with_its_business_row_never_was(database: Database, queue: JobQueue) -> None:
    def fail_after_enqueueing() -> None:
        with database.write() as connection:
            queue.enqueue(connection, kind="archive", key="1", destination="pacs")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_enqueueing()
    assert queue.lease(["archive"], lease_s=60) is None


def test_of_many_workers_each_job_is_leased_by_one(database: Database, queue: JobQueue) -> None:
    for number in range(20):
        enqueue(database, queue, str(number))
    taken: list[str] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        while (job := queue.lease(["archive"], lease_s=60, limit_per_destination=100)) is not None:
            taken.append(job.key)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken, key=int) == [str(number) for number in range(20)]


def test_a_dead_workers_job_is_taken_over_and_its_late_result_refused(
    database: Database, queue: JobQueue, clock: SetClock
) -> None:
    enqueue(database, queue, "1")
    first = leased(queue)
    assert queue.lease(["archive"], lease_s=60) is None
    clock.forward(61)
    second = leased(queue)
    assert second.attempt == 2
    with pytest.raises(LeaseLost), database.write() as connection:
        queue.complete(connection, first)
    with pytest.raises(LeaseLost):
        queue.heartbeat(first, lease_s=60)
    with database.write() as connection:
        queue.complete(connection, second)
    assert [job.state for job in queue.listing(JobState)] == [JobState.DONE]


def test_a_heartbeat_keeps_the_lease(database: Database, queue: JobQueue, clock: SetClock) -> None:
    enqueue(database, queue, "1")
    job = leased(queue)
    for _ in range(3):
        clock.forward(50)
        queue.heartbeat(job, lease_s=60)
    assert queue.lease(["archive"], lease_s=60) is None


def test_work_that_arrives_while_a_job_runs_makes_it_run_again(database: Database, queue: JobQueue) -> None:
    enqueue(database, queue, "1")
    job = leased(queue)
    enqueue(database, queue, "1")
    with database.write() as connection:
        queue.complete(connection, job)
    again = leased(queue)
    assert (again.key, again.attempt) == ("1", 1)
    with database.write() as connection:
        queue.complete(connection, again)
    assert queue.lease(["archive"], lease_s=60) is None


def test_a_parked_job_waits_for_a_person_and_keeps_its_reason(database: Database, queue: JobQueue) -> None:
    enqueue(database, queue, "1")
    job = leased(queue)
    with database.write() as connection:
        queue.park(connection, job, reason="the PACS refuses")
    assert queue.lease(["archive"], lease_s=60) is None
    assert [(job.key, job.reason) for job in queue.listing([JobState.PARKED])] == [("1", "the PACS refuses")]
    with database.write() as connection:
        assert not queue.resend(connection, kind="archive", key="unknown")
        assert queue.resend(connection, kind="archive", key="1")
    assert leased(queue).attempt == 1


def test_a_retry_waits_for_its_time_and_a_job_handed_back_does_not_count(
    database: Database, queue: JobQueue, clock: SetClock
) -> None:
    enqueue(database, queue, "1")
    queue.retry(leased(queue), at=clock() + timedelta(seconds=30), reason="no answer")
    assert queue.lease(["archive"], lease_s=60) is None
    clock.forward(30)
    second = leased(queue)
    assert (second.attempt, second.reason) == (2, "no answer")
    queue.hand_back(second)
    assert leased(queue).attempt == 2


def test_a_slow_destination_never_takes_every_worker(database: Database, queue: JobQueue) -> None:
    for number in range(3):
        enqueue(database, queue, f"slow-{number}")
    with database.write() as connection:
        queue.enqueue(connection, kind="archive", key="other", destination="elsewhere")
    keys = [leased(queue, limit_per_destination=2).key for _ in range(3)]
    assert keys == ["slow-0", "slow-1", "other"]
    assert queue.lease(["archive"], lease_s=60, limit_per_destination=2) is None


def test_urgent_jobs_go_first(database: Database, queue: JobQueue) -> None:
    enqueue(database, queue, "routine")
    enqueue(database, queue, "urgent", priority=9)
    assert leased(queue).key == "urgent"


def test_a_restarted_sole_user_takes_back_what_it_left_running(database: Database, queue: JobQueue) -> None:
    enqueue(database, queue, "1")
    lost = leased(queue)
    assert queue.release_all() == 1
    assert leased(queue).attempt == 2
    with pytest.raises(LeaseLost), database.write() as connection:
        queue.complete(connection, lost)


def test_jobs_of_one_destination_are_leased_together_and_count_as_one_worker(
    database: Database, queue: JobQueue
) -> None:
    for number in range(5):
        enqueue(database, queue, str(number))
    with database.write() as connection:
        queue.enqueue(connection, kind="archive", key="elsewhere", destination="another")
    together = queue.lease_together(["archive"], lease_s=60, limit_per_destination=2, at_most={"archive": 3})
    assert [(job.key, job.attempt) for job in together] == [("0", 1), ("1", 1), ("2", 1)]
    rest = queue.lease_together(["archive"], lease_s=60, limit_per_destination=2, at_most={"archive": 3})
    assert [job.key for job in rest] == ["3", "4"]
    enqueue(database, queue, "5")
    assert leased(queue, limit_per_destination=2).key == "elsewhere"
    assert queue.lease(["archive"], lease_s=60, limit_per_destination=2) is None
    with database.write() as connection:
        for job in together:
            queue.complete(connection, job)
    assert leased(queue, limit_per_destination=2).key == "5"


def test_what_was_tried_before_is_leased_alone(database: Database, queue: JobQueue) -> None:
    for number in range(3):
        enqueue(database, queue, str(number))
    taken = queue.lease_together(["archive"], lease_s=60, at_most={"archive": 3})
    assert queue.release_all() == len(taken) == 3
    assert [job.key for job in queue.lease_together(["archive"], lease_s=60, at_most={"archive": 3})] == ["0"]
