"""Reports that a worker returns together: each is decided and sent by itself, their answers are written at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from dicom_nodes.flows import return_group
from dicom_nodes.flows.report_channels import RisChannel
from dicom_nodes.flows.return_group import ReturnGroup
from dicom_nodes.flows.return_ports import ReturnedAnswer
from dicom_nodes.flows.return_report import ReturnReport
from dicom_nodes.foundation.jobs import Job, LeaseLost
from dicom_nodes.model.errors import HandBack, PeerRefused, PeerUnavailable
from dicom_nodes.model.report import AckCode, Acknowledgement, OutgoingReport
from tests.fakes.report_desk import Desk
from tests.fakes.report_fakes import MemoryCatalogue, MemoryRis, leased_job
from tests.peers.processes import wait_until


def jobs_of(*order_ids: str) -> list[Job]:
    return [replace(leased_job(f"{order_id}/ris"), id=number) for number, order_id in enumerate(order_ids, 1)]


def desk_with(*studies: str) -> Desk:
    """A study and an order of its own for each name."""
    desk = Desk()
    desk.orders.channels = ("ris",)
    for uid in studies:
        desk.has_study(uid)
        desk.also(
            f"order-{uid}",
            study=desk.orders.orders["order-1"].body.study.model_copy(update={"study_instance_uid": uid}),
        )
    return desk


def sent(group: ReturnGroup, job: Job) -> bool:
    try:
        group(job)
    except HandBack:
        return False
    return True


def ended_of(group: ReturnGroup) -> dict[str, Exception | None]:
    return {job.key: failure for job, failure in group.ended()}


def test_answers_are_written_down_together_and_only_then_told_as_ended() -> None:
    desk = desk_with("1.1", "1.2")
    jobs = jobs_of("order-1.1", "order-1.2")
    with desk.flow().together(jobs) as group:
        for job in jobs:
            group(job)
        assert (len(desk.ris.received), desk.orders.acknowledged, ended_of(group)) == (2, {}, {})
        group.settle()
        assert ended_of(group) == {"order-1.1/ris": None, "order-1.2/ris": None}
        assert ended_of(group) == {}
    assert set(desk.orders.acknowledged) == {"order-1.1", "order-1.2"}


def test_a_report_that_is_refused_fails_alone() -> None:
    desk = desk_with("1.1", "1.2", "1.3")
    jobs = jobs_of("order-1.1", "order-1.2", "order-1.3")
    desk.studies["1.2"] = replace(desk.studies["1.2"], origin="RXL")
    with desk.flow().together(jobs) as group:
        group(jobs[0])
        with pytest.raises(PeerRefused, match="are RXL's"):
            group(jobs[1])
        group(jobs[2])
        group.settle()
    assert set(desk.orders.acknowledged) == {"order-1.1", "order-1.3"}


def test_an_answer_whose_lease_was_lost_fails_alone() -> None:
    desk = desk_with("1.1", "1.2")
    jobs = jobs_of("order-1.1", "order-1.2")
    record = desk.orders.record_all

    def lose_one(answers: list[ReturnedAnswer]) -> list[bool | Exception]:
        return [LeaseLost("taken over") if one.order_id == "order-1.1" else record([one])[0] for one in answers]

    desk.orders.record_all = lose_one  # type: ignore[assignment,method-assign]
    with desk.flow().together(jobs) as group:
        for job in jobs:
            group(job)
        group.settle()
        ended = ended_of(group)
    assert isinstance(ended["order-1.1/ris"], LeaseLost)
    assert ended["order-1.2/ris"] is None


def test_of_two_versions_in_one_group_the_first_is_written_down_before_the_second_is_sent() -> None:
    desk = desk_with("1.1")
    desk.also("order-2", version=2, status="C", study=desk.orders.orders["order-1.1"].body.study)
    known: list[tuple[int, list[str]]] = []

    class WatchedRis(MemoryRis):
        def send(self, report: OutgoingReport) -> Acknowledgement:
            known.append((report.version, sorted(desk.orders.acknowledged)))
            return super().send(report)

    desk.ris = WatchedRis()
    jobs = jobs_of("order-1.1", "order-2")
    with desk.flow().together(jobs) as group:
        for job in jobs:
            group(job)
        group.settle()
    assert known == [(1, []), (2, ["order-1.1"])]


def test_an_older_version_behind_a_newer_one_in_the_group_is_not_sent() -> None:
    desk = desk_with("1.1")
    desk.also("order-2", version=2, status="C", study=desk.orders.orders["order-1.1"].body.study)
    jobs = jobs_of("order-2", "order-1.1")
    with desk.flow().together(jobs) as group:
        group(jobs[0])
        with pytest.raises(PeerRefused, match=r"a newer version \(2\) was already filed"):
            group(jobs[1])
    assert [report.version for report in desk.ris.received] == [2]


def test_what_is_recalled_while_the_group_is_under_way_is_not_sent() -> None:
    desk = desk_with("1.1", "1.2")
    jobs = jobs_of("order-1.1", "order-1.2")
    with desk.flow().together(jobs) as group:
        group(jobs[0])
        desk.orders.acknowledged["order-1.2"] = {"ris": ("OFF", "")}
        desk.orders.recalls += 1
        group(jobs[1])
        group.settle()
    assert [report.study_instance_uid for report in desk.ris.received] == ["1.1"]


def test_where_others_write_too_nothing_is_known_beforehand() -> None:
    desk = desk_with("1.1", "1.2")
    desk.orders.standing_for_s = 0.0
    jobs = jobs_of("order-1.1", "order-1.2")
    with desk.flow().together(jobs) as group:
        group(jobs[0])
        desk.also("order-9", version=9, study=desk.orders.orders["order-1.2"].body.study)
        desk.orders.acknowledged["order-9"] = {"ris": ("AA", "another machine's")}
        with pytest.raises(PeerRefused, match=r"a newer version \(9\) was already filed"):
            group(jobs[1])


def test_where_others_write_too_answers_are_written_down_together_all_the_same() -> None:
    desk = desk_with("1.1", "1.2")
    desk.orders.standing_for_s = 0.0
    jobs = jobs_of("order-1.1", "order-1.2")
    with desk.flow().together(jobs) as group:
        for job in jobs:
            group(job)
        assert (len(desk.ris.received), desk.orders.acknowledged) == (2, {})
        group.settle()
    assert set(desk.orders.acknowledged) == {"order-1.1", "order-1.2"}


def test_images_that_come_while_the_group_is_under_way_are_found() -> None:
    desk = desk_with("1.1", "1.2")
    jobs, late = jobs_of("order-1.1", "order-1.2"), desk.studies.pop("1.2")
    catalogue = MemoryCatalogue(desk.studies)
    with desk.flow(catalogue).together(jobs) as group:
        group(jobs[0])
        catalogue.studies["1.2"] = late
        group(jobs[1])
    assert [report.study_instance_uid for report in desk.ris.received] == ["1.1", "1.2"]


def test_a_newer_version_of_another_worker_waits_until_the_older_answer_is_written_down() -> None:
    desk = desk_with("1.1", "1.2")
    study = desk.orders.orders["order-1.1"].body.study
    desk.also("order-2", version=2, status="C", study=study)
    flow = desk.flow()
    jobs, begun = jobs_of("order-1.1", "order-1.2"), threading.Event()

    def newer() -> None:
        begun.set()
        with flow.together([leased_job("order-2/ris")]) as group:
            wait_until(lambda: sent(group, leased_job("order-2/ris")), "its turn came")
            group.settle()

    with ThreadPoolExecutor(1) as pool, flow.together(jobs) as group:
        group(jobs[0])
        other = pool.submit(newer)
        assert begun.wait(10)
        group(jobs[1])
        assert [report.version for report in desk.ris.received] == [1, 1]
        group.settle()
        other.result(10)
    assert [report.version for report in desk.ris.received] == [1, 1, 2]


def test_two_groups_whose_studies_cross_do_not_stop_each_other() -> None:
    desk = desk_with("1.1", "1.2")
    for uid in ("1.1", "1.2"):
        desk.also(f"again-{uid}", study=desk.orders.orders[f"order-{uid}"].body.study)
    flow, both = desk.flow(), threading.Barrier(2)

    def work(jobs: list[Job]) -> None:
        with flow.together(jobs) as group:
            both.wait(10)
            for job in jobs:
                group(job)
            group.settle()

    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(work, jobs_of(*ids)) for ids in (("order-1.1", "order-1.2"), ("again-1.2", "again-1.1"))]
        for one in done:
            one.result(10)
    assert len(desk.orders.acknowledged) == 4


def test_a_group_that_ends_in_the_middle_gives_its_turns_back() -> None:
    desk = desk_with("1.1", "1.2")
    flow, jobs = desk.flow(), jobs_of("order-1.1", "order-1.2")
    desk.ris.failure = PeerUnavailable("no answer")
    with flow.together(jobs) as group, pytest.raises(PeerUnavailable):
        group(jobs[0])
    desk.ris.failure = None
    with ThreadPoolExecutor(1) as pool:
        for job in jobs:
            pool.submit(flow, job).result(10)
    assert set(desk.orders.acknowledged) == {"order-1.1", "order-1.2"}


def test_an_answer_is_written_down_while_the_next_report_waits_for_its_own() -> None:
    desk = desk_with("1.1", "1.2")
    jobs = jobs_of("order-1.1", "order-1.2")
    waiting, go_on = threading.Event(), threading.Event()

    class SlowRis(MemoryRis):
        def send(self, report: OutgoingReport) -> Acknowledgement:
            if report.study_instance_uid == "1.2":
                waiting.set()
                assert go_on.wait(10)
            return Acknowledgement(AckCode.AA, "C")

    desk.ris = SlowRis()
    with ThreadPoolExecutor(1) as pool, desk.flow().together(jobs) as group:
        group(jobs[0])
        slow = pool.submit(group, jobs[1])
        try:
            assert waiting.wait(10)
            group.settle()
            assert ended_of(group) == {"order-1.1/ris": None}
        finally:
            go_on.set()
        slow.result(10)
        group.settle()
        wait_until(lambda: "order-1.2" in desk.orders.acknowledged, "the second is written down")


def test_a_worker_hangs_up_before_it_waits_for_a_turn_or_for_the_database() -> None:
    """A RIS may take one connection at a time: an alert must not wait behind one that idles."""
    desk = desk_with("1.1", "1.2", "1.3")
    desk.also("order-2", version=2, status="C", study=desk.orders.orders["order-1.2"].body.study)
    steps: list[str] = []
    flow = ReturnReport(
        desk.orders,
        MemoryCatalogue(desk.studies),
        {"ris": RisChannel(desk.ris)},  # type: ignore[arg-type]
        "RXN",
        none_follows=lambda: steps.append("hung up"),
    )

    def tell(owner: object, name: str) -> None:
        told = getattr(owner, name)
        setattr(owner, name, lambda *args, **more: (steps.append(name), told(*args, **more))[1])

    for owner, name in ((flow._turns, "take"), (desk.orders, "begin_return"), (desk.orders, "record_all")):
        tell(owner, name)
    tell(desk.ris, "send")
    jobs = jobs_of("order-1.1", "order-1.2", "order-1.3", "order-2")
    with flow.together(jobs) as group:
        for job in jobs:
            group(job)
    waits = [number for number, step in enumerate(steps) if step in {"take", "begin_return", "record_all"}]
    assert len(waits) >= 3
    for number in waits:
        before = [step for step in steps[:number] if step in {"hung up", "send"}]
        assert not before or before[-1] == "hung up", steps


def in_order(group: ReturnGroup, jobs: list[Job]) -> list[str]:
    """As a worker does them: those that were sent, one after the other."""
    waiting, done = list(jobs), list[str]()
    while waiting:
        job = group.next_of(waiting)
        waiting.remove(job)
        if sent(group, job):
            done.append(job.key)
    return done


def test_a_report_whose_study_is_another_groups_turn_keeps_no_other_waiting_and_goes_back() -> None:
    desk = desk_with("1.1", "1.2", "1.3")
    desk.also("order-2", version=2, status="C", study=desk.orders.orders["order-1.1"].body.study)
    flow = desk.flow()
    jobs = [replace(job, id=job.id + 10) for job in jobs_of("order-2", "order-1.2", "order-1.3")]
    with ThreadPoolExecutor(1) as pool, flow.together(jobs_of("order-1.1")) as first, flow.together(jobs) as second:
        assert first.next_of(jobs_of("order-1.1")).key == "order-1.1/ris"
        done = pool.submit(in_order, second, jobs)
        assert done.result(10) == ["order-1.2/ris", "order-1.3/ris"]
        first(*jobs_of("order-1.1"))
        first.settle()
        assert pool.submit(in_order, second, jobs[:1]).result(10) == ["order-2/ris"]
    assert [report.version for report in desk.ris.received] == [1, 1, 1, 2]


def test_versions_of_one_study_keep_their_order_when_its_turn_becomes_free_in_between() -> None:
    desk = desk_with("1.1")
    desk.also("order-2", version=2, status="C", study=desk.orders.orders["order-1.1"].body.study)
    flow, jobs = desk.flow(), jobs_of("order-1.1", "order-2")
    with flow.together(jobs) as group:
        assert in_order(group, jobs) == ["order-1.1/ris", "order-2/ris"]


def test_a_database_that_is_away_when_the_group_looks_ahead_fails_a_report_and_not_the_group() -> None:
    desk = desk_with("1.1")
    jobs, kept = jobs_of("order-1.1"), desk.orders.kept_orders

    def away(_: object) -> dict[str, object]:
        raise OSError("the database is away")

    desk.orders.kept_orders = away  # type: ignore[assignment,method-assign]
    with desk.flow().together(jobs) as group:
        assert group.next_of(jobs) is jobs[0]
        with pytest.raises(OSError, match="away"):
            group(jobs[0])
        desk.orders.kept_orders = kept  # type: ignore[method-assign]
        group(jobs[0])
    assert len(desk.ris.received) == 1


def test_who_waited_long_does_not_send_but_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lease may have run out, and another may be sending it."""
    monkeypatch.setattr(return_group, "_SURE_S", -1.0)
    desk = desk_with("1.1")
    flow, jobs = desk.flow(), jobs_of("order-1.1")
    with flow.together(jobs_of("order-1.1")) as first, flow.together(jobs) as group:
        first.next_of(jobs)
        group.next_of(jobs)
        first.close()
        assert not sent(group, jobs[0])
        monkeypatch.setattr(return_group, "_SURE_S", 5.0)
        assert sent(group, jobs[0])
    assert len(desk.ris.received) == 1
