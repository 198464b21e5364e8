"""Facts: consecutive, each once, each with its effects; a failing one is kept, shown, and blocks nothing."""

import pytest
from sqlalchemy import select

from dicom_nodes.contract import FactBatch, InstanceQuarantined, JobParked, PatientIdentity, StudyArchived
from router.flows import take_facts as flow
from router.store import tables as t
from router.store.transaction import SqlStore
from tests.integration.router.region import HEALTH, Region, received, settled


def _store(region: Region) -> SqlStore:
    store = region.client.app.state.services.store  # type: ignore[attr-defined]
    assert isinstance(store, SqlStore)
    return store


def _failures(region: Region) -> list[tuple[int, str | None]]:
    with _store(region).read() as tx:
        rows = tx.connection.execute(select(t.fact.c.seq, t.fact.c.failure).order_by(t.fact.c.seq))
        return [(row.seq, row.failure) for row in rows]


def test_the_same_batch_twice_changes_nothing(region: Region) -> None:
    facts = [region.rxn.fact(settled()), region.rxn.fact(settled("1.2.5"))]
    for _ in range(2):
        answer = region.rxn.post(*facts)
        assert (answer.status_code, answer.json()) == (200, {"accepted_through": 2})
    assert len(region.get("/reads")) == 2
    assert region.events() == ["study.settled", "read.received", "read.ready"]


def test_a_batch_that_overlaps_takes_only_what_is_new(region: Region) -> None:
    first, second = region.rxn.fact(settled()), region.rxn.fact(settled("1.2.5"))
    region.rxn.post(first)
    assert region.rxn.post(first, second).json() == {"accepted_through": 2}
    assert len(region.get("/reads")) == 2


def test_a_gap_is_answered_with_the_fact_that_is_owed(region: Region) -> None:
    region.rxn.say(settled())
    region.rxn.seq = 4
    answer = region.rxn.post(region.rxn.fact(settled("1.2.5")))
    assert answer.status_code == 409
    assert answer.json()["error"] == "fact_gap"
    assert answer.json()["expected_seq"] == 2


def test_facts_before_a_gap_inside_a_batch_stay_taken(region: Region) -> None:
    first = region.rxn.fact(settled())
    region.rxn.seq += 1
    answer = region.rxn.post(first, region.rxn.fact(settled("1.2.5")))
    assert answer.json()["expected_seq"] == 2
    assert len(region.get("/reads")) == 1


def test_a_new_outbox_starts_again_at_one(region: Region) -> None:
    region.rxn.say(settled())
    region.rxn.outbox_id, region.rxn.seq = "another-life", 0
    region.rxn.say(settled(), settled("1.2.5"))
    assert len(region.get("/reads")) == 2


def test_two_nodes_count_on_their_own(region: Region) -> None:
    region.rxn.outbox_id = region.rxl.outbox_id
    region.rxn.say(settled())
    region.rxl.say(received("9.9"))
    assert region.rxn.seq == region.rxl.seq == 1


def test_an_empty_batch_is_a_heartbeat_with_health(region: Region) -> None:
    refusing = HEALTH.model_copy(update={"state": "refusing", "reasons": ("disk reserve reached",)})
    batch = FactBatch(outbox_id="o", facts=(), health=refusing)
    headers = {**region.rxn.headers, "Content-Type": "application/json"}
    answer = region.client.post("/node/v1/facts", content=batch.model_dump_json(), headers=headers)
    assert answer.json() == {"accepted_through": 0}
    (node,) = [node for node in region.get("/nodes") if node["ods_code"] == "RXN"]
    assert node["health"]["reasons"] == ["disk reserve reached"]
    assert node["health_at"] == node["last_traffic_at"] == region.clock().isoformat().replace("+00:00", "Z")


def test_a_fact_that_cannot_be_carried_out_is_kept_and_blocks_nothing(
    region: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_archived = flow.take_settled_study

    def fails_once(tx: object, node: str, body: object, *rest: object) -> None:
        take_archived(tx, node, body, *rest)  # type: ignore[arg-type]
        if body == settled():
            raise ZeroDivisionError("text with patient data")

    monkeypatch.setattr(flow, "take_settled_study", fails_once)
    region.rxn.say(settled(), settled("1.2.5"))
    assert _failures(region) == [(1, "ZeroDivisionError"), (2, None)]
    (read,) = region.get("/reads")
    assert read["study_instance_uid"] == "1.2.5"
    (item,) = region.queue("fact_failed")
    assert "fact 1 (study.settled) of RXN" in item["reason"]
    assert "patient data" not in item["reason"]


def test_a_study_of_another_trusts_origin_is_not_routed(region: Region) -> None:
    region.rxl.say(
        settled(origin="RXN"), settled("1.2.5", origin="RXL", patient=PatientIdentity(issuer="RXL", patient_id="1"))
    )
    (read,) = region.get("/reads")
    assert read["study_instance_uid"] == "1.2.5"
    (item,) = region.queue("origin_mismatch")
    assert item["node"] == "RXL"


def test_a_study_uid_that_another_trust_claims_is_shown_to_a_person(region: Region) -> None:
    region.rxn.say(settled())
    region.rxl.say(settled(origin="RXL"))
    (item,) = region.queue("study_conflict")
    assert "claimed by RXL, but RXN made it" in item["reason"]
    assert len(region.get("/reads")) == 1


def test_one_study_uid_with_two_patients_is_shown_to_a_person(region: Region) -> None:
    region.rxn.say(settled())
    other = PatientIdentity(issuer="RXN", patient_id="H999", nhs_number="9990000026")
    region.rxn.say(settled(revision=2, contents="abc", patient=other))
    (item,) = region.queue("study_conflict")
    assert "two patients" in item["reason"]
    assert region.read()["revision"] == 1


def test_the_same_revision_with_other_content_is_shown_to_a_person(region: Region) -> None:
    region.rxn.say(settled(contents="ab"), settled(contents="ac"))
    (item,) = region.queue("study_conflict")
    assert "twice with different content" in item["reason"]


def test_the_same_study_twice_is_one_read(region: Region) -> None:
    region.rxn.say(settled(), settled())
    assert len(region.get("/reads")) == 1
    assert region.queue() == []


def test_an_unmapped_exam_waits_for_a_coordinator_who_says_what_it_is(region: Region) -> None:
    region.rxn.say(settled(exam_code={"value": "ZZZZZ", "scheme": "NICIP"}))
    read = region.read()
    assert (read["state"], read["owner"]) == ("RECEIVED", "coordinator")
    (item,) = region.queue("unmapped_exam")
    assert item["reason"] == "exam code ZZZZZ (NICIP) is not in the exam table"
    body = {"subspecialty": "neuro", "expected_minutes": 7, "priority": "urgent"}
    answer = region.client.post(f"/reads/{read['id']}/route", json=body, headers=region.staff)
    assert answer.json()["state"] == "READY"
    region.plan()
    assert region.read()["state"] == "ASSIGNED"


def test_documents_alone_make_no_read(region: Region) -> None:
    region.rxn.say(settled(modalities=("SR",), exam_code=None))
    assert region.get("/reads") == []
    assert region.events() == ["study.settled", "study.not_for_reading"]


def test_quarantined_instances_and_parked_jobs_are_shown_once(region: Region) -> None:
    quarantined = InstanceQuarantined(
        quarantine_id="q1",
        reason="other bytes",
        study_instance_uid="1.2.3.4",
        sop_instance_uid="1",
        sending_ae_title="CT1",
    )
    region.rxn.say(settled(), quarantined, quarantined)
    region.rxn.say(JobParked(job_kind="archive", job_key="1.2.3.4", reason="refused", attempts=12))
    assert len(region.queue("instance_quarantined")) == 1
    assert region.queue("job")[0]["can_resend"] is True
    assert "instance.quarantined" in region.events()


def test_a_foreign_node_writes_nothing_into_a_studys_ledger(region: Region) -> None:
    region.rxn.say(settled())
    before = region.events()
    archived = StudyArchived(study_instance_uid="1.2.3.4", revision=1, instance_count=2, archive="PACS")
    quarantined = InstanceQuarantined(
        quarantine_id="q1",
        reason="other bytes",
        study_instance_uid="1.2.3.4",
        sop_instance_uid="1",
        sending_ae_title="RXN_NODE",
    )
    region.rxl.say(archived, quarantined)
    assert region.events() == before
    assert [(item["node"], item["study_instance_uid"]) for item in region.queue()] == [("RXL", None)] * 2
    assert {item["kind"] for item in region.queue()} == {"foreign_study", "instance_quarantined"}
    region.rxn.say(archived)
    assert region.events() == [*before, "study.archived"]


def test_an_overlong_identifier_fails_alone(region: Region) -> None:
    long_uid = "1." + "2" * 300
    region.rxn.say(settled(long_uid), settled("1.2.5", contents="a" * 3))
    found = [read["study_instance_uid"] for read in region.get("/reads")]
    assert "1.2.5" in found


def test_a_fact_that_cannot_even_be_kept_holds_up_none_before_it(
    region: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, about = flow.KeptFact, [settled("1.2.1"), settled("1.2.2"), settled("1.2.3"), settled("1.2.4")]
    facts = [region.rxn.fact(body) for body in about]

    def breaks_at_the_third(node: str, outbox_id: str, seq: int, *rest: object) -> object:
        if seq == 3:
            raise ZeroDivisionError
        return kept(node, outbox_id, seq, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(flow, "KeptFact", breaks_at_the_third)
        assert region.rxn.post(*facts).status_code == 500
    assert {read["study_instance_uid"] for read in region.get("/reads")} == {"1.2.1", "1.2.2"}
    assert {node["ods_code"]: node["last_traffic_at"] is not None for node in region.get("/nodes")}["RXN"]
    assert region.rxn.post(*facts).json() == {"accepted_through": 4}
    assert len(region.get("/reads")) == 4
