"""Active rules route studies: effects reach the read and its readers, holds and failures reach a person."""

from typing import Any

import pytest
from sqlalchemy import text as sql

from tests.integration.router.region import PATIENT, Region, received, settled
from tests.integration.router.rule_region import HEAD_URGENT, HOLDING, Administrators
from tests.unit.router.routing_rules.rule_texts import rule, text

NO_BIRTH_DATE = PATIENT.model_copy(update={"birth_date": None})
CHILDREN = text(
    rule("study.age_years < 16", 'require = { trusts = ["RXL"] }', "children"),
    rule('study.body_part == "HEAD"', 'priority = "routine"\nexclude = { readers = ["reader-1"] }', "heads"),
)


def ledger_detail(region: Region, event: str, uid: str = "1.2.3.4") -> dict[str, Any]:
    entries = region.get("/ledger", study_instance_uid=uid)[0]["entries"]
    found = [entry["detail"] for entry in entries if entry["event"] == event][-1]
    assert isinstance(found, dict)
    return found


def release(region: Region, read_id: str, who: str = "coordinator") -> Any:
    headers = region.token(who, "carol" if who != "reader" else "reader-1")
    return region.client.post(f"/reads/{read_id}/release", json={"reason": "the trial wants it"}, headers=headers)


def test_a_matching_rule_decides_and_the_ledger_says_which(region: Region) -> None:
    version = Administrators(region).active(HEAD_URGENT)
    region.rxn.say(settled())
    read = region.read()
    assert (read["state"], read["priority"], read["subspecialty"]) == ("READY", "routine", "neuro")
    assert read["directives"] == {"rule_set": version, "rules": ["heads"]}
    detail = ledger_detail(region, "read.ready")
    assert (detail["rule_set"], detail["rules"], detail["priority"]) == (version, ["heads"], "routine")


def test_without_rules_the_exam_table_decides(sqlite_region: Region) -> None:
    sqlite_region.rxn.say(settled())
    read = sqlite_region.read()
    assert (read["priority"], read["directives"]) == ("urgent", None)
    assert "rule_set" not in ledger_detail(sqlite_region, "read.ready")


def test_a_change_of_rules_leaves_reads_as_they_were_routed(sqlite_region: Region) -> None:
    people = Administrators(sqlite_region)
    sqlite_region.rxn.say(settled("1.2.1"))
    people.active(HEAD_URGENT)
    sqlite_region.rxn.say(settled("1.2.2"))
    people.switch_off(1)
    sqlite_region.rxn.say(settled("1.2.3"))
    found = {read["study_instance_uid"]: read["priority"] for read in sqlite_region.get("/reads")}
    assert found == {"1.2.1": "urgent", "1.2.2": "routine", "1.2.3": "urgent"}


@pytest.mark.parametrize(
    ("effects", "reader"),
    [
        ('exclude = { readers = ["reader-1"] }', "reader-2"),
        ('require = { pools = ["home"] }', "reader-2"),
        ('exclude = { trusts = ["RXN"] }', "reader-1"),
    ],
)
def test_whom_a_rule_requires_or_excludes_is_honoured_by_the_plan(
    sqlite_region: Region, effects: str, reader: str
) -> None:
    sqlite_region.change_reader("reader-2", employer="RXN")
    Administrators(sqlite_region).active(text(rule("true", effects), top='[pools.home]\ntrusts = ["RXN"]'))
    sqlite_region.rxn.say(settled())
    sqlite_region.plan()
    read = sqlite_region.read()
    assert (read["state"], read["lease"]["reader_id"]) == ("ASSIGNED", reader)


def test_an_excluded_reader_cannot_pick_the_read_either(sqlite_region: Region) -> None:
    Administrators(sqlite_region).active(text(rule("true", 'exclude = { readers = ["reader-1"] }')))
    sqlite_region.rxn.say(settled())
    answer = sqlite_region.client.post(f"/reads/{sqlite_region.read()['id']}/claim", headers=sqlite_region.reader(1))
    assert (answer.status_code, answer.json()["message"]) == (403, "rule 'one' excludes the reader")


def test_a_held_study_is_in_the_human_queue_and_nobody_gets_it_until_it_is_released(region: Region) -> None:
    Administrators(region).active(HOLDING)
    region.rxn.say(settled(description="RESEARCH head"))
    region.plan()
    read = region.read()
    assert (read["state"], read["lease"]) == ("READY", None)
    (item,) = region.queue("held_by_rule")
    assert (item["read_id"], item["study_instance_uid"]) == (read["id"], "1.2.3.4")
    assert "rule 'research' holds this read back: does the trial want a report?" in item["reason"]
    why = region.get(f"/reads/{read['id']}/why")["waiting"]
    assert {reason for one in why["exclusions"] for reason in one["reasons"]} == {
        "held by rule 'research': does the trial want a report?"
    }
    assert region.client.post(f"/reads/{read['id']}/claim", headers=region.reader(1)).status_code == 403
    assert release(region, read["id"], "reader").status_code == 403
    assert release(region, read["id"]).status_code == 200
    assert region.queue("held_by_rule") == []
    assert ledger_detail(region, "read.ready")["released"] == ["research"]
    region.plan()
    assert region.read()["state"] == "ASSIGNED"
    assert release(region, read["id"]).status_code == 409


def test_a_held_study_that_nobody_releases_is_overdue_and_asked_about_again(sqlite_region: Region) -> None:
    Administrators(sqlite_region).active(HOLDING)
    sqlite_region.rxn.say(settled(description="RESEARCH head"))
    (item,) = sqlite_region.queue("held_by_rule")
    path = f"/human-queue/{item['id']}/resolve"
    assert sqlite_region.client.post(path, json={"note": "later"}, headers=sqlite_region.staff).status_code == 200
    sqlite_region.clock.pass_s(sqlite_region.settings.router.unassigned_timeout_s + 1)
    sqlite_region.plan()
    assert [one["read_id"] for one in sqlite_region.queue("overdue")] == [sqlite_region.read()["id"]]


def test_routing_by_hand_ends_the_hold_and_keeps_what_rules_say_of_readers(sqlite_region: Region) -> None:
    Administrators(sqlite_region).active(
        text(rule("true", 'hold = "look"\nexclude = { readers = ["reader-1"] }\npriority = "routine"'))
    )
    sqlite_region.rxn.say(settled())
    body = {"subspecialty": "neuro", "expected_minutes": 9, "priority": "urgent"}
    path = f"/reads/{sqlite_region.read()['id']}/route"
    assert sqlite_region.client.post(path, json=body, headers=sqlite_region.staff).status_code == 200
    assert sqlite_region.queue("held_by_rule") == []
    sqlite_region.plan()
    read = sqlite_region.read()
    assert (read["state"], read["lease"]["reader_id"], read["priority"]) == ("ASSIGNED", "reader-2", "urgent")


def test_an_unmapped_exam_is_never_guessed_by_rules_but_they_bind_once_a_person_has_said(sqlite_region: Region) -> None:
    sqlite_region.change_reader("reader-2", employer="RXN")
    Administrators(sqlite_region).active(text(rule("true", 'subspecialty = "neuro"\nexclude = { trusts = ["RXL"] }')))
    sqlite_region.rxn.say(settled(exam_code={"value": "ZZZ", "scheme": "NICIP"}))
    read = sqlite_region.read()
    assert (read["state"], read["directives"]) == ("RECEIVED", None)
    body = {"subspecialty": "neuro", "expected_minutes": 9, "priority": "urgent"}
    sqlite_region.client.post(f"/reads/{read['id']}/route", json=body, headers=sqlite_region.staff)
    sqlite_region.plan()
    assert sqlite_region.read()["lease"]["reader_id"] == "reader-2"


def test_a_rule_that_fails_loses_no_study_and_is_told_by_name(region: Region) -> None:
    version = Administrators(region).active(CHILDREN)
    region.rxn.say(settled(patient=NO_BIRTH_DATE))
    (item,) = region.queue("rule_failed")
    assert item["reason"] == (
        f"rule 'children' of rule set {version} failed: study.age_years has no value for this study; "
        "what no other rule decided was left to the default"
    )
    region.plan()
    read = region.read()
    assert (read["state"], read["priority"], read["lease"]["reader_id"]) == ("ASSIGNED", "routine", "reader-2")
    assert read["directives"]["rules"] == ["heads"]


def test_an_active_text_that_can_no_longer_be_read_loses_no_study(region: Region) -> None:
    Administrators(region).active(HEAD_URGENT)
    store = region.client.app.state.services.store  # type: ignore[attr-defined]
    with store.write() as tx:
        tx.rule_sets.lock()
        bad = tx.rule_sets.add("[[rules", "0" * 64, "written by a later release", "nobody", region.clock())
        tx.rule_sets.set_active(bad.version)
    region.rxn.say(settled())
    (item,) = region.queue("rule_failed")
    assert item["reason"].startswith("the active rule set 2 cannot be used: the exam table alone routed this study")
    assert (region.read()["state"], region.read()["priority"]) == ("READY", "urgent")


def test_a_revision_of_another_exam_is_ruled_anew(sqlite_region: Region) -> None:
    Administrators(sqlite_region).active(text(rule('study.modality == "CT+MR"', 'priority = "urgent"', "both")))
    sqlite_region.rxn.say(settled(exam_code=None))
    assert sqlite_region.read()["directives"]["rule_set"] == 1
    sqlite_region.rxn.say(settled(exam_code=None, modalities=("MR",), revision=2, contents="abc"))
    assert (sqlite_region.read()["state"], sqlite_region.read()["directives"]) == ("RECEIVED", None)


def test_a_hold_ends_with_the_exam_it_was_for_and_comes_again_with_one_it_is_for(sqlite_region: Region) -> None:
    Administrators(sqlite_region).active(text(rule('study.body_part != "NECK"', 'hold = "look"', "not necks")))
    for revision, part in enumerate(("HEAD", "NECK", "CHEST"), start=1):
        sqlite_region.rxn.say(settled(exam_code=None, body_part=part, revision=revision, contents="abcd"[:revision]))
        held = [] if part == "NECK" else [sqlite_region.read()["id"]]
        assert [item["read_id"] for item in sqlite_region.queue("held_by_rule")] == held


def test_a_new_description_that_would_match_other_rules_is_told(sqlite_region: Region) -> None:
    Administrators(sqlite_region).active(HOLDING)
    sqlite_region.rxn.say(settled())
    sqlite_region.rxn.say(settled(description="RESEARCH head", revision=2, contents="abc"))
    (item,) = sqlite_region.queue("rules_would_differ")
    assert "rules that matched: none; that would match now: research" in item["reason"]
    sqlite_region.plan()
    assert sqlite_region.read()["state"] == "ASSIGNED"


def test_a_second_read_that_a_rule_wants_is_made_once_the_first_is_signed(sqlite_region: Region) -> None:
    Administrators(sqlite_region).active(text(rule("true", "second_read = true", "two readers")))
    read = sqlite_region.offer()
    sqlite_region.claim(read)
    assert len(sqlite_region.get("/reads")) == 1
    sqlite_region.clock.pass_s(60)
    sqlite_region.rxl.say(received())
    first, second = sqlite_region.get("/reads")
    assert (first["state"], second["state"], second["second_of"]) == ("VERIFIED", "READY", first["id"])


def test_directives_survive_the_database(region: Region) -> None:
    effects = 'require = { readers = ["reader-1"], trusts = ["RXN"] }\npathway = "stroke"'
    priors = 'priors = { modalities = ["CT"], within_days = 30, most = 2, same_body_part = true }\nsecond_read = true'
    Administrators(region).active(text(rule("true", f"{effects}\n{priors}", "all")))
    region.rxn.say(settled())
    store = region.client.app.state.services.store  # type: ignore[attr-defined]
    with store.read() as tx:
        said = tx.reads.get(region.read()["id"]).directives
        stored = tx.connection.execute(sql("SELECT directives FROM read")).scalar()
    assert stored is not None
    assert (said.pathway, said.second_read, said.rules) == ("stroke", "all", ("all",))
    assert (said.require[0].readers, said.require[0].trusts) == (("reader-1",), ("RXN",))
    assert (said.priors.modalities, said.priors.most, said.priors.same_body_part) == (("CT",), 2, True)
    assert said.reasons_against("reader-2", "RXL") == ("rule 'all' requires others",)
