"""A node or a router restored from a backup is noticed: nothing hides behind a 200, and a person is told."""

from dicom_nodes.contract import OrderCompleted
from tests.integration.router.region import Region, received, settled


def test_other_content_under_a_known_number_is_refused_and_told(region: Region) -> None:
    region.rxn.say(settled(), settled("1.2.5"))
    region.rxn.seq = 1  # restored: it numbers new facts from 2 again
    lost = region.rxn.fact(settled("1.2.6"))
    for _ in range(2):
        answer = region.rxn.post(lost)
        assert (answer.status_code, answer.json()["error"]) == (409, "outbox_forked")
    (item,) = region.queue("outbox_forked")
    assert "node RXN" in item["reason"]
    region.rxn.outbox_id, region.rxn.seq = "another-life", 0
    region.rxn.say(settled("1.2.6"))
    assert {read["study_instance_uid"] for read in region.get("/reads")} == {"1.2.3.4", "1.2.5", "1.2.6"}


def test_a_fork_is_noticed_before_anything_behind_it_is_taken(region: Region) -> None:
    region.rxn.say(settled())
    region.rxn.seq = 0
    forked, next_one = region.rxn.fact(settled("1.2.5")), region.rxn.fact(settled("1.2.6"))
    assert region.rxn.post(forked, next_one).json()["error"] == "outbox_forked"
    assert len(region.get("/reads")) == 1


def test_the_same_words_at_another_time_are_another_fact(region: Region) -> None:
    region.rxn.say(settled())
    region.clock.pass_s(1)
    region.rxn.seq = 0
    assert region.rxn.post(region.rxn.fact(settled())).json()["error"] == "outbox_forked"


def test_facts_that_never_arrive_are_told_once(region: Region) -> None:
    region.rxn.say(settled())
    region.rxn.seq = 4
    late = region.rxn.fact(settled("1.2.5"))
    for _ in range(3):
        assert region.rxn.post(late).json()["expected_seq"] == 2
    (item,) = region.queue("fact_gap")
    assert "facts 2..4 never arrived" in item["reason"]
    assert item["node"] == "RXN"


def test_a_node_ahead_of_the_log_gets_it_from_the_start_under_a_new_name(region: Region) -> None:
    region.assign()
    before = region.rxl.orders(after=0)
    batch = region.rxl.orders(after=50, log_id=before.log_id)  # the router lost orders 2 to 50
    assert batch.log_id != before.log_id
    assert [order.order_id for order in batch.orders] == [before.orders[0].order_id]
    (item,) = region.queue("order_log_restored")
    assert item["node"] == "RXL"
    again = region.rxl.orders(after=1, log_id=batch.log_id)
    assert (again.log_id, again.orders) == (batch.log_id, ())
    assert region.rxl.orders(after=1, log_id=before.log_id).orders == batch.orders
    assert len(region.queue("order_log_restored")) == 1


def test_one_nodes_lead_changes_no_other_nodes_log(region: Region) -> None:
    region.rxl.orders(after=50)
    name = region.rxn.orders(after=0).log_id
    assert name == region.get("/health")["log_id"]
    assert region.rxl.orders(after=0).log_id != name


def test_a_node_that_lost_its_database_is_not_sent_what_is_done(region: Region) -> None:
    region.assign()
    (fetch,) = region.rxl.new_orders()
    region.rxl.complete(fetch)
    (deliver,) = region.rxl.new_orders()
    assert [order.order_id for order in region.rxl.orders(after=0).orders] == [deliver.order_id]
    region.rxl.complete(deliver)
    region.rxl.say(received())
    (back,) = region.rxn.new_orders()
    assert region.rxn.orders(after=0).orders == (back,)
    region.rxn.return_report(back)
    assert region.rxl.orders(after=0).orders == ()
    assert region.rxn.orders(after=0).orders == ()


def test_images_for_a_former_holder_or_revision_are_not_ordered_again(region: Region) -> None:
    read = region.assign()
    region.rxl.new_orders()
    region.rxn.say(settled(revision=2, contents="abc"))
    (present,) = region.rxl.new_orders()
    assert region.rxl.orders(after=0).orders == (present,)
    region.client.post(f"/reads/{read['id']}/decline", json={"reason": "x"}, headers=region.reader())
    assert region.rxl.orders(after=0).orders == ()


def test_a_completed_order_told_twice_stays_done(region: Region) -> None:
    region.assign()
    region.rxl.complete(region.rxl.new_orders()[0])
    (deliver,) = region.rxl.new_orders()
    done = OrderCompleted(
        order_id=deliver.order_id,
        instance_count=2,
        manifest_digest=deliver.body.manifest.digest,  # type: ignore[union-attr]
    )
    region.rxl.say(done, done)
    assert region.rxl.orders(after=0).orders == ()
