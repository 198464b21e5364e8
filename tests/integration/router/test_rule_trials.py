"""Trying rules without doing them: on one study, and on a past period, over real databases."""

from datetime import timedelta
from typing import Any

from tests.integration.router.region import START, Region, settled
from tests.integration.router.rule_region import HEAD_URGENT, HOLDING, Administrators
from tests.unit.router.routing_rules.rule_texts import rule, text

KNEES = text(
    rule('study.body_part == "KNEE"', 'hold = "knee?"', "knees"),
    rule('study.body_part == "HEAD"', 'priority = "urgent"\nrequire = { trusts = ["RXN"] }', "heads"),
    rule('study.body_part == "HEAD"', 'priority = "routine"\nprefer = { trusts = ["RXL"] }', "later"),
    rule("study.age_years / (study.revision - 1) > 300", 'hold = "x"', "broken"),
    rule("true", 'hold = "x"', "over", extra="valid_until = 2026-01-01T00:00:00Z"),
)


def dry_run(people: Administrators, version: int, **study: Any) -> Any:
    return people.call("coordinator/carol", "POST", f"/{version}/dry-run", study)


def replay(people: Administrators, version: int, hours: float = 24, **more: Any) -> Any:
    body = {"start": START.isoformat(), "end": (START + timedelta(hours=hours)).isoformat(), **more}
    answer = people.call("coordinator/carol", "POST", f"/{version}/replay", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_dry_run_tells_each_rules_answer_and_what_would_change(region: Region) -> None:
    people = Administrators(region)
    region.rxn.say(settled())
    active, version = people.active(HEAD_URGENT), people.validated(KNEES)
    before = (region.read(), people.audit())
    run = dry_run(people, version, accession_number="A-1.2.3.4", accession_issuer="RXN").json()
    assert run == dry_run(people, version, study_instance_uid="1.2.3.4").json()
    answers = {one["rule"]: (one["value"], one["failure"], one["decided"], one["overruled"]) for one in run["rules"]}
    assert answers == {
        "knees": (False, None, [], []),
        "heads": (True, None, ["priority", "require"], []),
        "later": (True, None, ["prefer"], ["priority"]),
        "broken": (None, "divide by zero", [], []),
        "over": (None, None, [], []),
    }
    assert {one["what"]: (one["before"], one["after"]) for one in run["changes"]} == {
        "priority": ("routine", "urgent"),
        "due": ("2026-11-30 08:00", "2026-11-03 08:00"),
        "required": ("-", "RXN"),
        "preferred": ("-", "RXL"),
    }
    assert (run["table"]["priority"], run["before"]["priority"], run["after"]["priority"]) == (
        "urgent",
        "routine",
        "urgent",
    )
    assert (run["before"]["directives"]["rule_set"], run["after"]["directives"]["rule_set"]) == (active, version)
    assert (run["read_id"], run["read_state"]) == (before[0]["id"], "READY")
    assert (region.read(), people.audit()) == before


def test_a_dry_run_is_of_the_moment_that_is_asked_for(sqlite_region: Region) -> None:
    people = Administrators(sqlite_region)
    sqlite_region.rxn.say(settled())
    version = people.validated(text(rule("now.weekend", 'priority = "routine"')))
    assert dry_run(people, version, study_instance_uid="1.2.3.4").json()["changes"] == []
    saturday = dry_run(people, version, study_instance_uid="1.2.3.4", at="2026-11-07T10:00:00+00:00").json()
    assert [one["what"] for one in saturday["changes"]] == ["priority", "due"]


def test_a_dry_run_of_an_unmapped_study_says_why_no_rule_is_asked(sqlite_region: Region) -> None:
    people = Administrators(sqlite_region)
    sqlite_region.rxn.say(settled(exam_code={"value": "ZZZ", "scheme": "NICIP"}))
    run = dry_run(people, people.draft(HEAD_URGENT), study_instance_uid="1.2.3.4").json()
    assert (run["reason"], run["rules"], run["after"]) == (
        "exam code ZZZ (NICIP) is not in the exam table",
        [],
        None,
    )


_NAMED = (
    ({}, 422, "give either study_instance_uid, or accession_number with accession_issuer"),
    ({"accession_number": "A-1.2.3.4"}, 422, "an accession number means nothing without its issuer"),
    ({"accession_number": "A-1.2.3.4", "accession_issuer": "RXL"}, 404, "no such study"),
    ({"study_instance_uid": "9.9"}, 404, "no such study"),
    ({"study_instance_uid": "1.2", "accession_number": "A"}, 422, "give either"),
    ({"accession_number": "TWIN", "accession_issuer": "RXN"}, 422, "2 studies have this accession number"),
)


def test_a_dry_run_guesses_no_study(sqlite_region: Region) -> None:
    people = Administrators(sqlite_region)
    sqlite_region.rxn.say(settled())
    sqlite_region.rxn.say(settled("1.3", accession_number="TWIN"), settled("1.4", accession_number="TWIN"))
    version = people.draft(HEAD_URGENT)
    for named, status, message in _NAMED:
        answer = dry_run(people, version, **named)
        assert (answer.status_code, message in answer.json()["message"]) == (status, True), answer.text


def test_a_text_with_errors_is_tried_on_nothing(sqlite_region: Region) -> None:
    people = Administrators(sqlite_region)
    sqlite_region.rxn.say(settled())
    version = people.draft(text(rule("study.modalty == 1")))
    answer = dry_run(people, version, study_instance_uid="1.2.3.4")
    assert (answer.status_code, "holds errors" in answer.json()["message"]) == (422, True)
    period = {"start": START.isoformat(), "end": (START + timedelta(1)).isoformat()}
    assert people.call("bob", "POST", f"/{version}/replay", period).status_code == 422
    assert people.call("bob", "POST", "/7/replay", period).status_code == 404
    backwards = {"start": period["end"], "end": period["start"]}
    answer = people.call("bob", "POST", f"/{version}/replay", backwards)
    assert answer.json()["message"] == "until: must be later than from"


def test_a_replay_tells_what_would_have_gone_elsewhere_and_what_it_asks_of_readers(region: Region) -> None:
    people = Administrators(region)
    region.change_reader("reader-2", employer="RXN")
    for number in range(6):
        part = ("HEAD", "KNEE", "CHEST")[number % 3]
        region.rxn.say(settled(f"1.2.{number}", exam_code=None, body_part=part, study_time=None))
        region.clock.pass_s(600)
    region.rxn.say(settled("1.3", exam_code={"value": "ZZZ", "scheme": "NICIP"}))
    region.rxn.say(settled("1.2.0", exam_code=None, body_part="HEAD", study_time=None, revision=2, contents="abc"))
    version = people.validated(KNEES)
    before = region.get("/reads")
    found = replay(people, version)
    assert (found["version"], found["baseline"]) == (version, None)
    assert (found["considered"], found["unmapped"], found["different"], found["cut"]) == (7, 1, 4, False)
    assert found["matches"] == {"knees": 2, "heads": 2, "later": 2, "broken": 0, "over": 0}
    assert found["failures"]["broken"] == 5  # once revised, the study has a revision to divide by
    counts = {(one["what"], one["before"], one["after"]): one["studies"] for one in found["counts"]}
    assert counts == {
        ("priority", "routine", "urgent"): 2,
        ("due", "as before", "sooner"): 2,
        ("required", "-", "RXN"): 2,
        ("preferred", "-", "RXL"): 2,
        ("hold", "-", "knees"): 2,
    }
    assert [one["study_instance_uid"] for one in found["studies"]] == ["1.2.0", "1.2.1", "1.2.3", "1.2.4"]
    assert (found["held_before"], found["held_after"]) == (0, 2)
    readers = {one["study_instance_uid"]: (one["reader_before"], one["reader_after"]) for one in found["studies"]}
    assert all(before is not None for before, _ in readers.values())
    assert [readers[uid][1] for uid in readers] == ["reader-2", None, "reader-2", None]
    loads = {one["reader_id"]: (one["reads_before"], one["reads_after"]) for one in found["readers"]}
    assert sum(before for before, _ in loads.values()) == 6
    assert sum(after for _, after in loads.values()) == 4
    assert loads["reader-2"][1] >= 2
    assert region.get("/reads") == before
    assert people.states() == {version: "validated"}


def test_a_replay_compares_with_the_active_or_the_named_version(sqlite_region: Region) -> None:
    people = Administrators(sqlite_region)
    sqlite_region.rxn.say(settled())
    active, other = people.active(HEAD_URGENT), people.validated(HOLDING)
    assert (replay(people, active)["baseline"], replay(people, active)["different"]) == (active, 0)
    found = replay(people, active, baseline=other)
    assert (found["baseline"], found["different"]) == (other, 1)


def test_a_replay_takes_a_study_where_it_first_settled(sqlite_region: Region) -> None:
    people = Administrators(sqlite_region)
    version = people.draft(HEAD_URGENT)
    sqlite_region.rxn.say(settled("1.1"))
    sqlite_region.clock.pass_s(7200)
    sqlite_region.rxn.say(settled("1.1", revision=2, contents="abc"), settled("1.2"), settled("1.3"))
    assert replay(people, version, hours=1)["considered"] == 1
    assert replay(people, version, hours=3)["considered"] == 3
    late = {"start": (START + timedelta(hours=1)).isoformat(), "end": (START + timedelta(hours=3)).isoformat()}
    body = people.call("bob", "POST", f"/{version}/replay", late).json()
    assert [one["study_instance_uid"] for one in body["studies"]] == ["1.2", "1.3"]
    cut = replay(people, version, hours=3, limit=2, show=1)
    assert (cut["considered"], cut["cut"], len(cut["studies"])) == (2, True, 1)


def test_expected_breaches_follow_the_rules(sqlite_region: Region) -> None:
    people = Administrators(sqlite_region)
    for number in range(12):
        sqlite_region.rxn.say(settled(f"1.2.{number}", study_time=None))
    version = people.draft(text(rule("true", "due_minutes = 30", "half an hour")))
    found = replay(people, version)
    assert found["late"] == [{"priority": "urgent", "before": 0, "after": 4}]
