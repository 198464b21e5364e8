"""The life of a rule set: drafts, validation, a second person, activation, roll-back, and an audit that only grows."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import text as sql
from sqlalchemy.exc import DBAPIError

from dicom_nodes.foundation.settings_file import SettingsError
from router.store import tables as t
from tests.integration.router.region import Region, settled
from tests.integration.router.rule_region import HEAD_URGENT, HOLDING, Administrators, region_with_settings
from tests.unit.router.routing_rules.rule_texts import rule, text

SECOND = "rules_need_second_person = true"


@pytest.fixture
def people(region: Region) -> Administrators:
    return Administrators(region)


@pytest.fixture
def few(sqlite_region: Region) -> Administrators:
    return Administrators(sqlite_region)


def test_a_draft_is_validated_activated_and_retired_by_the_next(people: Administrators) -> None:
    first, second = people.active(HEAD_URGENT), people.validated(HOLDING, "bob")
    assert people.states() == {2: "validated", 1: "active"}
    assert people.activate(second, "bob", expected_active=first).status_code == 200
    assert people.states() == {2: "active", 1: "retired"}
    assert people.audit() == [
        (1, "created", "admin alice"),
        (1, "validated", "admin alice"),
        (1, "activated", "admin alice"),
        (2, "created", "admin bob"),
        (2, "validated", "admin bob"),
        (1, "retired", "admin bob"),
        (2, "activated", "admin bob"),
    ]


def test_a_draft_with_errors_stays_a_draft_and_is_never_activated(few: Administrators) -> None:
    version = few.draft(text(rule("study.modalty == 1")))
    answer = few.call("alice", "POST", f"/{version}/validate").json()
    assert (answer["valid"], answer["rule_set"]["state"]) == (False, "draft")
    (problem,) = answer["problems"]
    assert (problem["line"], problem["column"], problem["suggestion"]) == (6, 19, "study.modality")
    refused = few.activate(version)
    assert (refused.status_code, refused.json()["message"]) == (409, "rule set 1 is draft: validate it first")
    shown = few.call("alice", "GET", f"/{version}").json()
    assert (shown["state"], [one["name"] for one in shown["rules"]]) == ("draft", ["one"])


def test_a_text_that_is_no_toml_is_kept_and_told(few: Administrators) -> None:
    version = few.draft("[[rules\n")
    assert few.call("alice", "GET", f"/{version}").json()["rules"] is None
    assert not few.call("alice", "POST", f"/{version}/validate").json()["valid"]


def test_unknown_names_of_the_network_are_errors_with_a_suggestion(few: Administrators) -> None:
    rules = text(rule("now.weekend", 'require = { readers = ["reader-11"], trusts = ["RXM"] }'))
    problems = few.call("coordinator/carol", "POST", "/check", {"text": rules}).json()["problems"]
    assert [problem["suggestion"] for problem in problems] == ["reader-1", "RXN"]


def test_an_exam_code_that_no_map_and_no_table_knows_is_warned_about(few: Administrators) -> None:
    row = {
        "local_code": "CTH1", "standard_code": "CSKUH", "standard_scheme": "NICIP", "group": "ct_head",
        "modality": "CT", "subspecialty": "neuro", "minutes": 8.0, "pathway": "urgent",
    }  # fmt: skip
    region = few.region
    few.states()
    put = region.client.put("/trusts/RXN/exam-codes", json={"codes": [row]}, headers=region.token("admin", "dora"))
    assert put.status_code == 200, put.text
    rules = text(rule('order.exam_code in ["CTH1", "CTH2"]', name="heads"))
    (problem,) = few.call("alice", "POST", "/check", {"text": rules}).json()["problems"]
    assert problem["message"] == "no code map and no exam table knows the exam code 'CTH2'"


def test_the_author_cannot_let_a_rule_set_in_alone(tmp_path: Path, database_url: str) -> None:
    with region_with_settings(tmp_path, database_url, SECOND) as region:
        people = Administrators(region)
        version = people.validated(HEAD_URGENT)
        assert people.activate(version).status_code == 403
        assert people.activate(version, "bob").status_code == 403
        for herself in ("alice", "Alice", "ALICE "):
            answer = people.call(herself, "POST", f"/{version}/approve", {"comment": "fine"})
            assert answer.status_code == 403, answer.text
        assert (
            people.call("bob", "POST", f"/{version}/approve", {"comment": "replayed May"}).json()["state"] == "approved"
        )
        assert people.activate(version).status_code == 200
        assert (version, "approved", "admin bob") in people.audit()


def test_only_what_is_validated_can_be_approved(few: Administrators) -> None:
    version = few.draft(HEAD_URGENT)
    answer = few.call("bob", "POST", f"/{version}/approve", {"comment": "fine"})
    assert (answer.status_code, answer.json()["message"]) == (409, "rule set 1 is draft, expected validated")


def test_who_is_no_administrator_changes_no_rules(few: Administrators) -> None:
    version = few.validated(HEAD_URGENT)
    for who in ("coordinator/carol", "reader/reader-1"):
        assert few.activate(version, who).status_code == 403
        assert few.roll_back(version, who).status_code == 403
        assert few.switch_off(version, who).status_code == 403
        assert few.call(who, "POST", "", {"text": HEAD_URGENT, "comment": "x"}).status_code == 403
        assert few.call(who, "POST", f"/{version}/validate").status_code == 403
    assert few.states() == {1: "validated"}


def test_roll_back_goes_one_version_back_at_a_time(people: Administrators) -> None:
    for _ in range(3):
        people.active(HEAD_URGENT)
    assert people.roll_back(3).json() == {"active_version": 2}
    assert people.states() == {3: "retired", 2: "active", 1: "retired"}
    assert people.roll_back(2).json() == {"active_version": 1}
    assert (3, "rolled_back", "admin bob") in people.audit()


def test_a_roll_back_that_does_not_name_the_active_version_is_refused(few: Administrators) -> None:
    few.active(HEAD_URGENT)
    few.active(HOLDING)
    unnamed = few.call("bob", "POST", "/roll-back", {"reason": "it went wrong"})
    assert (unnamed.status_code, unnamed.json()["message"]) == (422, "body.expected_active: is missing")
    assert few.roll_back(2).json() == {"active_version": 1}
    late = few.roll_back(2, "alice")
    assert (late.status_code, late.json()["message"]) == (
        409,
        "rule set 1 is active, not 2: look at what changed first",
    )
    assert few.states() == {2: "retired", 1: "active"}


def test_rules_end_by_being_switched_off_only_never_by_a_roll_back(few: Administrators) -> None:
    version = few.active(HEAD_URGENT)
    refused = few.roll_back(version)
    assert (refused.status_code, "readacross rules switch-off" in refused.json()["message"]) == (409, True)
    assert few.states() == {version: "active"}
    assert few.switch_off(version + 1).status_code == 409
    assert few.switch_off(version).json() == {"active_version": None}
    assert few.states() == {version: "retired"}
    (entry,) = [one for one in few.call("alice", "GET", "/audit").json() if one["event"] == "switched_off"]
    assert (entry["version"], entry["actor"]) == (version, "admin bob")
    assert entry["detail"] == {"reason": "the table alone for a while"}
    assert few.roll_back(version).json()["message"] == (
        f"no rule set is active, not {version}: look at what changed first"
    )


def test_after_a_roll_back_the_next_activation_rolls_back_to_where_it_came_from(few: Administrators) -> None:
    few.active(HEAD_URGENT)
    few.active(HOLDING)
    few.roll_back(2)
    assert few.activate(2).status_code == 200
    assert few.roll_back(2).json() == {"active_version": 1}
    few.active(HEAD_URGENT)
    assert few.roll_back(3).json() == {"active_version": 1}


def test_of_two_activations_at_once_one_is_first_and_the_other_learns_of_it(people: Administrators) -> None:
    first = people.active(HEAD_URGENT)
    others = [people.validated(HOLDING), people.validated(HEAD_URGENT)]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda version: people.activate(version, expected_active=first), others))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert sorted(people.states().values()) == ["active", "retired", "validated"]
    retired = [version for version, event, _ in people.audit() if event == "retired"]
    assert retired == [first]


def test_versions_written_at_once_get_numbers_of_their_own(people: Administrators) -> None:
    people.states()
    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(lambda _: people.draft(HEAD_URGENT), range(8)))
    assert sorted(versions) == list(range(1, 9))


def test_what_the_network_no_longer_has_cannot_be_activated(few: Administrators) -> None:
    version = few.validated(text(rule("now.weekend", 'subspecialty = "neuro"')))
    store = few.region.client.app.state.services.store  # type: ignore[attr-defined]
    stale = text(rule("now.weekend", 'subspecialty = "gone"'))
    with store.write() as tx:
        from router.flows.rule_sets import RuleSetEntry, RuleSetEvent

        tx.rule_sets.lock()
        gone = tx.rule_sets.add(stale, "0" * 64, "as the network once was", "admin alice", few.region.clock())
        tx.rule_sets.note(RuleSetEntry(gone.version, RuleSetEvent.VALIDATED, few.region.clock(), "admin alice"))
    answer = few.activate(gone.version)
    assert (answer.status_code, "'gone' is not among" in answer.json()["message"]) == (422, True)
    assert few.states()[version] == "validated"


def test_versions_and_their_audit_cannot_be_changed(people: Administrators) -> None:
    people.draft(HEAD_URGENT)
    database = people.region.client.app.state.services.store.database  # type: ignore[attr-defined]
    by_kind = {"sqlite": "INSERT OR REPLACE INTO {} SELECT * FROM {}", "postgresql": "TRUNCATE {} CASCADE"}
    changes = "UPDATE {} SET version = 9", "DELETE FROM {}", by_kind[database.engine.dialect.name]
    for table, change in product(t.RULE_SETS_APPEND_ONLY, changes):
        with pytest.raises(DBAPIError, match=r"rule_set\w* only grows"), database.write() as connection:
            connection.execute(sql(change.replace("{}", table)))
    assert people.audit() == [(1, "created", "admin alice")]


def test_a_rule_that_no_study_of_late_matched_is_warned_about(few: Administrators) -> None:
    region = few.region
    for number in range(25):
        region.rxn.say(settled(f"1.2.3.{number}"))
    region.clock.pass_s(60)
    rules = text(
        rule('study.description.matches("KNEE")', name="knees"),
        rule('study.description.matches("HEAD")', name="heads"),
        rule("study.age_years / (study.revision - 1) > 3", name="broken"),
    )
    found = few.call("alice", "POST", "/check", {"text": rules}).json()
    assert found["valid"]
    assert [problem["message"] for problem in found["problems"]] == [
        "rule 'knees' matched none of the 25 studies of the last 28 days",
        "rule 'heads' matched all of the 25 studies of the last 28 days",
        "rule 'broken' fails for some of the 25 studies of the last 28 days: divide by zero",
    ]


def test_the_rules_file_routes_from_the_first_start_and_waits_as_a_draft_when_it_changed(
    tmp_path: Path,
) -> None:
    database_url = f"sqlite:///{tmp_path}/r.sqlite"
    for rules, states in ((HEAD_URGENT, ["active"]), (HEAD_URGENT, ["active"]), (HOLDING, ["active", "validated"])):
        with region_with_settings(tmp_path, database_url, rules=rules) as region:
            assert sorted(Administrators(region).states().values()) == states


def test_where_two_people_are_asked_for_the_rules_file_waits_too(tmp_path: Path) -> None:
    with region_with_settings(tmp_path, f"sqlite:///{tmp_path}/r.sqlite", SECOND, HEAD_URGENT) as region:
        people = Administrators(region)
        assert people.states() == {1: "validated"}
        (item,) = region.queue("no_rules_active")
        assert "an administrator other than its author approves it" in item["reason"]
        assert region.get("/health")["reasons"] == [item["reason"]]
        assert people.activate(1, "bob", expected_active=2).json()["message"] == (
            "no rule set is active, not 2: look at what changed first"
        )
        assert people.call("bob", "POST", "/1/approve", {"comment": "fine"}).status_code == 200
        assert region.get("/health")["state"] == "degraded"
        assert people.activate(1, "bob").status_code == 200
        assert region.queue("no_rules_active") == []
        assert region.get("/health")["reasons"] == []
        assert people.switch_off(1).status_code == 200
        assert len(region.queue("no_rules_active")) == 1
        assert people.activate(1).status_code == 200
        assert region.queue("no_rules_active") == []


def test_a_router_that_needs_two_people_for_rules_says_at_each_start_that_it_has_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        with region_with_settings(tmp_path, f"sqlite:///{tmp_path}/r.sqlite", SECOND) as region:
            assert len(region.queue("no_rules_active")) == 1
        assert "rules.none_active" in capsys.readouterr().err
    with region_with_settings(tmp_path / "one", f"sqlite:///{tmp_path}/one.sqlite") as region:
        assert region.queue("no_rules_active") == []
        assert region.get("/health")["state"] == "ok"
    assert "rules.none_active" not in capsys.readouterr().err


def test_a_rules_file_with_an_error_stops_the_start(tmp_path: Path) -> None:
    bad = text(rule("now.weekend", 'priority = "urgnt"'))
    started = region_with_settings(tmp_path, f"sqlite:///{tmp_path}/r.sqlite", rules=bad)
    with pytest.raises(SettingsError, match=r"rules\[0\]\.effects\.priority: line 9, column 1: 'urgnt'"), started:
        pass
