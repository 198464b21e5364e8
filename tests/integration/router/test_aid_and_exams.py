"""Aid limits and the account, code maps with their coverage, and reading times that are learned."""

from typing import Any

import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dicom_nodes.contract import ExamCode
from dicom_nodes.foundation.database import open_database
from router.flows.assign_reads import take_snapshot
from router.model.pathway import Pathway
from router.model.read import ReadState
from router.model.session import SessionKind
from router.rules.planning import ListLengths
from router.store import tables as t
from router.store.schema import _alembic, migrate
from router.store.transaction import SqlStore
from tests.integration.router.region import Region, settled

ROW = {
    "local_code": "CTH1",
    "standard_code": "CSKUH",
    "standard_scheme": "NICIP",
    "group": "ct_head",
    "modality": "CT",
    "subspecialty": "neuro",
    "minutes": 8.0,
    "pathway": "urgent",
}


def call(region: Region, method: str, path: str, body: Any, status: int = 200) -> Any:
    answer = region.client.request(method, path, json=body, headers=region.staff)
    assert answer.status_code == status, answer.text
    return answer.json()


def map_codes(region: Region, *rows: dict[str, Any], status: int = 200) -> Any:
    return call(region, "PUT", "/trusts/RXN/exam-codes", {"codes": list(rows)}, status)


def coded(value: str, scheme: str = "LOCAL") -> ExamCode:
    return ExamCode(value=value, scheme=scheme)


def store_of(region: Region) -> SqlStore:
    store = region.client.app.state.services.store  # type: ignore[attr-defined]
    assert isinstance(store, SqlStore)
    return store


def sign(region: Region, minutes: float, number: int = 1) -> dict[str, Any]:
    read = region.read()
    token = region.claim(read, number)
    region.clock.pass_s(minutes * 60)
    body = {"transaction_uid": token, "status": "F", "text": "Normal."}
    answer = region.client.post(f"/reads/{read['id']}/report", json=body, headers=region.reader(number))
    assert answer.status_code == 201, answer.text
    return region.read()


def test_a_mapped_code_says_group_level_minutes_and_pathway(region: Region) -> None:
    map_codes(region, {**ROW, "minimum_level": "special_interest"})
    with store_of(region).write() as tx:
        tx.exams.put_pathway(Pathway("urgent", 1440, 5.0, acute=True))
    region.rxn.say(settled(exam_code=coded("CTH1")))
    region.plan()
    read = region.read()
    told = {name: read[name] for name in ("exam_code", "exam_group", "minimum_level", "expected_minutes", "pathway")}
    assert told == {
        "exam_code": "CSKUH",
        "exam_group": "ct_head",
        "minimum_level": "special_interest",
        "expected_minutes": 8.0,
        "pathway": "urgent",
    }
    waiting = region.get(f"/reads/{read['id']}/why")["waiting"]
    assert {tuple(item["reasons"]) for item in waiting["exclusions"]} == {
        ("level general in neuro, and special interest is needed",)
    }


def test_a_code_that_the_map_lacks_goes_to_a_person_though_the_table_knows_it(region: Region) -> None:
    map_codes(region, ROW)
    region.rxn.say(settled(exam_code=coded("CSKUH", "NICIP")))
    (item,) = region.queue("unmapped_exam")
    assert item["reason"] == "exam code CSKUH (NICIP) is not in the code map of RXN"
    assert region.read()["state"] == "RECEIVED"


def test_a_map_that_contradicts_the_images_goes_to_a_person(sqlite_region: Region) -> None:
    map_codes(sqlite_region, {**ROW, "modality": "MR"})
    sqlite_region.rxn.say(settled(exam_code=coded("CTH1")))
    (item,) = sqlite_region.queue("unmapped_exam")
    assert item["reason"] == "exam code CTH1 (LOCAL) is MR in the code map of RXN, the study holds CT"


def test_an_entry_for_the_scheme_goes_before_one_for_any(region: Region) -> None:
    map_codes(region, ROW, {**ROW, "scheme": "LOCAL", "group": "ct_special"})
    region.rxn.say(settled(exam_code=coded("CTH1")))
    assert region.read()["exam_group"] == "ct_special"
    region.clock.pass_s(1)
    region.rxn.say(settled("1.2.3.5", exam_code=coded("CTH1", "OTHER")))
    assert region.read()["exam_group"] == "ct_head"


def test_a_code_with_two_targets_is_refused_and_the_map_stays(region: Region) -> None:
    map_codes(region, ROW)
    answer = map_codes(region, ROW, {**ROW, "standard_code": "CCHES"}, status=422)
    assert "codes.1: local code 'CTH1' has two targets" in answer["message"]
    csv = ",".join(ROW) + "\n" + ",".join(str(v) for v in ROW.values()) + "\n"
    body = {"text": csv + csv.splitlines()[1].replace("CSKUH", "CCHES")}
    imported = call(region, "POST", "/trusts/RXN/exam-codes/import", body)
    assert (imported["taken"], imported["refused"][0]["row"]) == (0, "3")
    assert [row["standard_code"] for row in region.get("/trusts/RXN/exam-codes")["codes"]] == ["CSKUH"]


def test_an_import_replaces_the_map_and_warns_of_what_nobody_may_read(region: Region) -> None:
    rows = [ROW, {**ROW, "local_code": "CTS", "minimum_level": "specialist"}]
    names = [*ROW, "minimum_level"]
    csv = "\n".join([",".join(names), *(",".join(str(row.get(name, "")) for name in names) for row in rows)])
    answer = call(region, "POST", "/trusts/RXN/exam-codes/import", {"text": csv})
    assert (answer["taken"], answer["refused"]) == (2, [])
    (warning,) = answer["warnings"]
    assert (warning["row"], "may read 'CTS'" in warning["reason"]) == ("3", True)
    assert len(region.get("/trusts/RXN/exam-codes")["codes"]) == 2


def test_coverage_counts_studies_and_names_the_codes_that_are_missing(region: Region) -> None:
    map_codes(region, ROW)
    for number, code in enumerate(["CTH1", "ZZZ", "ZZZ", "YYY", None]):
        region.rxn.say(settled(f"1.2.{number}", exam_code=None if code is None else coded(code)))
    found = region.get("/trusts/RXN/exam-codes/coverage", days=1)
    assert (found["studies"], found["mapped_studies"], found["uncoded_studies"], found["share"]) == (5, 1, 1, 0.25)
    assert found["unmapped"] == [
        {"code": "ZZZ", "scheme": "LOCAL", "studies": 2},
        {"code": "YYY", "scheme": "LOCAL", "studies": 1},
    ]


def test_a_read_across_trusts_is_in_the_account_once_when_it_is_signed(region: Region) -> None:
    region.offer()
    assert region.get("/trusts/RXN/aid-account")["entries"] == []
    sign(region, 6)
    for trust, credit in (("RXL", True), ("RXN", False)):
        account = region.get(f"/trusts/{trust}/aid-account")
        (entry,) = account["entries"]
        assert (entry["employer"], entry["origin"], entry["minutes"], entry["reads"]) == ("RXL", "RXN", 7.0, 1)
        (balance,) = account["balances"]
        assert balance["balance_minutes"] == (7.0 if credit else -7.0)
        assert (balance["credit_reads"], balance["debit_reads"]) == ((1, 0) if credit else (0, 1))


def test_limits_bind_what_is_given_out_in_a_local_day(region: Region) -> None:
    limits = {"reads_for": ["RXN"], "minutes_out_per_day": 14.0, "acute_reserve": 0.0}
    call(region, "PUT", "/trusts/RXL/aid-limits", limits)
    for uid in ("1.2.3.4", "1.2.3.5", "1.2.3.6"):
        region.clock.pass_s(1)
        region.rxn.say(settled(uid))
        region.plan()
    assert [read["lease"] is not None for read in region.get("/reads")] == [True, True, False]
    assert region.get("/trusts/RXL/aid-limits")["minutes_out_today"] == 14.0
    excluded = region.get(f"/reads/{region.read()['id']}/why")["waiting"]["exclusions"]
    reason = "RXL reads for others 14 minutes a day at most, 14 are used, 0% of it kept for acute reads"
    assert [(one["reader_id"], one["reasons"]) for one in excluded] == [("reader-1", [reason]), ("reader-2", [reason])]
    region.change_reader("reader-2", employer="RXN")
    region.plan()
    assert region.read()["lease"]["reader_id"] == "reader-2"


def test_a_reader_may_not_claim_beyond_the_limit_either(region: Region) -> None:
    call(region, "PUT", "/trusts/RXL/aid-limits", {"reads_for": []})
    region.rxn.say(settled())
    answer = region.client.post(f"/reads/{region.read()['id']}/claim", headers=region.reader(1))
    assert (answer.status_code, answer.json()["message"]) == (403, "RXL has no agreement to read for RXN")


@pytest.mark.parametrize(
    "wrong", [{"reads_for": ["ZZZ"]}, {"reads_for": ["RXL"]}, {"reads_for": [], "acute_reserve": 1}]
)
def test_limits_that_make_no_sense_are_refused(sqlite_region: Region, wrong: dict[str, Any]) -> None:
    call(sqlite_region, "PUT", "/trusts/RXL/aid-limits", wrong, 422)
    assert sqlite_region.client.get("/trusts/RXL/aid-limits", headers=sqlite_region.staff).status_code == 404


def test_a_pathway_may_ask_for_sessions_of_a_kind(region: Region) -> None:
    with store_of(region).write() as tx:
        tx.exams.put_pathway(Pathway("urgent", 1440, 5.0, session_kinds=frozenset({SessionKind.ACUTE}), may_wait=True))
    region.rxn.say(settled())
    region.plan()
    assert region.read()["state"] == "READY"
    (view,) = region.get("/pathways")
    assert (view["id"], view["target_minutes"], view["session_kinds"]) == ("urgent", 1440, ["acute"])
    assert view["may_wait"] is True


@pytest.mark.parametrize(
    ("may_wait", "target_minutes", "waits"), [(True, 1440, True), (False, 1440, False), (True, 9999, False)]
)
def test_the_planner_is_told_whether_a_read_may_wait(
    sqlite_region: Region, may_wait: bool, target_minutes: float, waits: bool
) -> None:
    """Its pathway says so, and nobody gave it less than half of the pathway's time."""
    with store_of(sqlite_region).write() as tx:
        tx.exams.put_pathway(Pathway("urgent", target_minutes, 5.0, may_wait=may_wait))
    sqlite_region.rxn.say(settled())
    with store_of(sqlite_region).read() as tx:
        ready = tx.reads.listing(states={ReadState.READY})
        (read,) = take_snapshot(tx, ready, sqlite_region.clock(), ListLengths()).reads
    assert read.may_wait is waits


def test_minutes_and_speeds_follow_what_was_signed(region: Region) -> None:
    map_codes(region, ROW)
    region.offer(exam_code=coded("CTH1"))
    sign(region, 2)
    region.plan()
    (time,) = region.get("/reading-times")
    assert (time["exam_group"], time["prior_minutes"], time["reads"]) == ("ct_head", pytest.approx(8.0), 1)
    assert 2.0 < time["median_minutes"] < 8.0
    assert region.get("/readers/reader-1")["speeds"]["ct_head"] > 1.0
    region.rxn.say(settled("1.2.3.5", exam_code=coded("CTH1")))
    assert region.read()["expected_minutes"] == pytest.approx(time["median_minutes"])
    before = region.read()["exam_group"]
    region.rxn.say(settled("1.2.3.5", revision=2, contents="abc", exam_code=coded("CTH1")))
    assert (region.read()["exam_group"], region.read()["state"]) == (before, "READY")


def test_a_database_of_before_is_brought_up_with_its_rows(database_url: str) -> None:
    database = open_database(database_url)
    with database.write() as connection:
        command.upgrade(_alembic(connection), "0001")
        for statement in (
            "INSERT INTO trust (ods_code, name) VALUES ('RXL', 'L')",
            "INSERT INTO node (ods_code, ae_title, host, port) VALUES ('RXL', 'N', 'h', 104)",
            "INSERT INTO reader (id, name, registration, employer, modalities, subspecialties, workstation_node,"
            " workstation_ae_title, active)"
            " VALUES ('a', 'A', 'C1', 'RXL', '[\"CT\"]', '[\"neuro\"]', 'RXL', 'W', true)",
            "INSERT INTO session (id, reader_id, starts_at, ends_at, capacity_reads)"
            " VALUES ('s', 'a', '2026-01-01 00:00:00', '2026-01-02 00:00:00', 5)",
        ):
            connection.execute(text(statement))
    migrate(database)
    with SqlStore(database, lambda _nodes: None).read() as tx:
        reader = tx.readers.get("a")
        (session,) = tx.readers.sessions("a")
    database.dispose()
    assert reader is not None
    assert (reader.profession, dict(reader.levels), reader.exam_scope) == ("consultant", {"neuro": 1}, None)
    assert (session.kind, session.place, session.capacity_reads) == (SessionKind.ELECTIVE, None, 5)


def test_what_no_exam_has_is_refused_of_a_reader_and_of_a_limit_unless_it_is_kept_already(
    sqlite_region: Region,
) -> None:
    region = sqlite_region
    region.change_reader("reader-1", exam_scope=["ct_old"])  # no map names a group: nothing to hold it against
    map_codes(region, ROW)
    view = region.get("/readers/reader-1")
    body = {name: value for name, value in view.items() if name not in {"id", "credentials"}}
    wrong = {
        "modalities": (["CT", "CTX"], "expected a readable modality of the exam table, got 'CTX'"),
        "subspecialties": (["neurro"], "expected a subspecialty of the exam table or a code map, got 'neurro'"),
        "exam_scope": (
            ["xr_chst", "ct_old"],
            "expected an exam group or standard code of the exam table or a code map, got 'xr_chst'",
        ),
    }
    for field, (names, reason) in wrong.items():
        refused = call(region, "PUT", "/readers/reader-1", {**body, field: names}, 422)
        assert refused["message"] == f"{field}: {reason}"
    kept = call(region, "PUT", "/readers/reader-1", {**body, "active": False, "exam_scope": ["ct_old", "ct_head"]})
    assert (kept["active"], kept["exam_scope"], kept["warnings"]) == (False, ["ct_head", "ct_old"], [])
    limits = {"reads_for": ["RXN"], "group_minutes_out": {"ct_hed": 5.0}}
    refused = call(region, "PUT", "/trusts/RXL/aid-limits", limits, 422)
    assert refused["message"] == (
        "group_minutes_out: expected an exam group of the exam table or a code map, got 'ct_hed'"
    )
    call(region, "PUT", "/trusts/RXL/aid-limits", {**limits, "group_minutes_out": {"ct_head": 5.0}})


def test_a_display_check_that_has_ended_is_taken_with_a_warning(sqlite_region: Region) -> None:
    view = sqlite_region.get("/readers/reader-1")
    body = {name: value for name, value in view.items() if name not in {"id", "credentials"}}
    body["display_valid_until"] = "2026-11-01T00:00:00Z"
    warnings = call(sqlite_region, "PUT", "/readers/reader-1", body)["warnings"]
    assert warnings == ["the display check of the workstation ended on 2026-11-01; nothing is given out"]


def test_the_aid_account_cannot_be_changed_and_counts_a_read_once(region: Region) -> None:
    region.assign()
    sign(region, 3)
    store = store_of(region)
    by_kind = {"sqlite": "INSERT OR REPLACE INTO {} SELECT * FROM {}", "postgresql": "TRUNCATE {} CASCADE"}
    changes = "UPDATE {} SET minutes = 0", "DELETE FROM {}", by_kind[store.database.engine.dialect.name]
    for table in t.AID_APPEND_ONLY:
        for change in changes:
            with pytest.raises(DBAPIError, match=f"{table} only grows"), store.write() as tx:
                tx.connection.execute(text(change.replace("{}", table)))
    with store.write() as tx:
        (entry,) = tx.aid.entries("RXL", region.clock.now.replace(year=2025), region.clock.now.replace(year=2027), 9)
        assert not tx.aid.add(entry)
    assert region.get("/trusts/RXL/aid-account")["balances"][0]["credit_reads"] == 1
