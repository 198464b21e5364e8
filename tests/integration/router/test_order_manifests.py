"""An order for images names its revision, and whoever reads the order gets the revision's manifest whole."""

from typing import Any

from sqlalchemy import insert, select

from dicom_nodes.contract import FetchStudy
from router.store import tables as t
from tests.integration.router.region import START, Region, manifest, settled


def rows(region: Region) -> list[Any]:
    store = region.client.app.state.services.store  # type: ignore[attr-defined]
    with store.read() as tx:
        return list(tx.connection.execute(select(t.node_order).order_by(t.node_order.c.seq)).all())


def test_a_manifest_is_stored_once_and_ordered_whole(region: Region) -> None:
    region.assign(contents="abc")
    (row,) = rows(region)
    assert "manifest" not in row.body
    (order,) = region.rxl.orders().orders
    assert isinstance(order.body, FetchStudy)
    assert order.body.manifest == manifest("a", "b", "c")
    region.rxl.complete(order)
    assert "images.fetched" in region.events()


def test_an_order_of_before_that_holds_its_manifest_is_ordered_as_it_is(sqlite_region: Region) -> None:
    sqlite_region.assign()
    (row,) = rows(sqlite_region)
    (order,) = sqlite_region.rxl.orders().orders
    body = order.body.model_dump(mode="json")
    store = sqlite_region.client.app.state.services.store  # type: ignore[attr-defined]
    with store.write() as tx:
        tx.connection.execute(
            insert(t.node_order).values(**{**row._mapping, "order_id": "old", "seq": 2, "body": body})
        )
    _, old = sqlite_region.rxl.orders(after=0).orders
    assert old.body == order.body


def test_a_manifest_that_was_rolled_back_is_no_order_s(sqlite_region: Region) -> None:
    sqlite_region.assign(contents="ab")
    store = sqlite_region.client.app.state.services.store  # type: ignore[attr-defined]

    def fails() -> None:
        empty = {"manifest": {"entries": []}, "manifest_digest": "0" * 64, "instance_count": 0, "settled_at": START}
        tx.connection.execute(t.study_revision.insert().values(study_instance_uid="1.2.3.4", revision=2, **empty))
        assert tx.studies.manifest("1.2.3.4", 2).entries == ()
        raise ZeroDivisionError

    with store.write() as tx:
        assert isinstance(tx.attempt(fails), ZeroDivisionError)
    sqlite_region.rxn.say(settled(revision=2, contents="abc"))
    with store.read() as tx:
        assert tx.studies.manifest("1.2.3.4", 1) == manifest("a", "b")
        assert tx.studies.manifest("1.2.3.4", 2) == manifest("a", "b", "c")
