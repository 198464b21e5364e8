"""What must be true at the end: at each RIS, at the router, in the ledger and in the human queue."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from tests.network.proof.course import Course
from tests.network.proof.expectation import Expected, Version, outcomes_of
from tests.network.proof.failing_ris import Filing
from tests.network.proof.letters import Case

_HELD = {"report_not_accepted", "report_unmatched"}
_OF_FAILING = {"report_rejected", "order", "phone_list"}


def judge_stuck(course: Course) -> None:
    """Whatever a RIS refused or did not take waits with a person, and by time on the phone list; nothing else does."""
    reports = {report["id"]: report for report in course.reports()}
    stuck = course.stuck()
    items = course.open_items()
    asked = {item["report_id"] for item in items if item["kind"] in _OF_FAILING}
    for one in stuck:
        assert one["trust"] in course.network.failing, one
        assert one["report_id"] in asked, f"nobody is asked about {one}"
    refused = {
        report_id: answer
        for trust in course.network.trusts.values()
        for report_id, answer in trust.ris.last_answer.items()
        if answer in {"AE", "AR"}
    }
    for report_id, answer in refused.items():
        (delivery,) = reports[report_id]["deliveries"]
        state, code = delivery["state"], delivery["code"]
        is_told = (state, code) == ({"AE": "PARKED", "AR": "REJECTED"}[answer], answer)
        assert is_told or (state == "PARKED" and code == answer) or state in {"DROPPED", "FILED"}, (answer, delivery)
    _judge_queue(course, items, reports)
    course.seen["stuck"] = len(stuck)
    course.seen["human queue before clearing up"] = dict(Counter(item["kind"] for item in items))
    course.seen["refused last by AE or AR"] = len(refused)


def are_on_the_phone_list(course: Course) -> bool:
    """Whether every version that is stuck is on the list of those to ring up."""
    listed = {item["report_id"] for item in course.open_items() if item["kind"] == "phone_list"}
    return {one["report_id"] for one in course.stuck()} <= listed


def judge_end(course: Course) -> None:
    """Every version once at its origin, none elsewhere, and every account of it complete."""
    reports = course.reports()
    came = Counter((report["text"], report["disposition"]) for report in reports)
    assert came == outcomes_of(course.expected), _difference(came, outcomes_of(course.expected))
    filings = _filings_by_case(course)
    by_id = {report["id"]: report for report in reports}
    for case, one in zip(course.cases, course.expected, strict=True):
        filed = _judge_case(course, case, one, filings[case.uid], reports)
        _judge_ledger(course, case, one, filed, by_id)
    states = Counter(read["state"] for read in course.network.all("/reads", 1000))
    assert states == {"CLOSED": len(course.cases)}
    _judge_queue(course, course.open_items(), by_id)
    course.seen |= {
        "filed": course.filed(),
        "repeats at the RIS": sum(trust.ris.repeats for trust in course.network.trusts.values()),
        "answers": dict(sum((trust.ris.answers for trust in course.network.trusts.values()), Counter[str]())),
        "outcomes": dict(Counter(outcome for _, outcome in came.elements())),
    }


def _filings_by_case(course: Course) -> dict[str, list[Filing]]:
    """Study Instance UID → what its origin filed, in order; none is anywhere else, and none was sent in two ways."""
    origins = {case.uid: case.origin for case in course.cases}
    found: dict[str, list[Filing]] = defaultdict(list)
    for code, trust in course.network.trusts.items():
        assert trust.ris.changed == [], "the same control id came with other bytes"
        assert len({filing.report_id for filing in trust.ris.filed.values()}) == len(trust.ris.filed)
        for filing in trust.ris.filed.values():
            uid = filing.about[2]
            assert origins[uid] == code, f"a report of {origins[uid]} was filed at {code}"
            found[uid].append(filing)
    return found


def _judge_case(
    course: Course, case: Case, expected: Expected, filings: Sequence[Filing], reports: Sequence[dict[str, Any]]
) -> dict[int, Filing]:
    """Number of each version that the RIS has → its message; they came in order, the last among them."""
    patient, accession = case.study.patient, f"{case.study.accession_number}^^^{case.origin}"
    ids = f"{patient.nhs_number}^^^NHS^NH~{patient.patient_id}^^^{case.origin}^MR^{case.origin}"
    filed: dict[int, Filing] = {}
    for filing in filings:
        assert filing.about == (ids, accession, case.uid), "under the origin's own identifiers"
        number = next((n for n, one in enumerate(expected.versions, 1) if one.is_said_by(filing.text)), None)
        assert number is not None, f"{case.origin} filed what nobody wrote:\n{filing.text}"
        assert number not in filed, f"{case.origin} filed version {number} twice:\n{filing.text}"
        assert number > max(filed, default=0), f"version {number} was filed after version {max(filed)}: {filing.text}"
        assert filing.status == expected.versions[number - 1].status
        filed[number] = filing
    states = _deliveries(case, reports)
    for number, version in enumerate(expected.versions, 1):
        _judge_version(course, case, expected, number, version, filed, states)
    return filed


def _judge_version(
    course: Course, case: Case, expected: Expected, number: int, version: Version, filed: dict[int, Filing],
    states: dict[int, dict[str, Any] | None],
) -> None:  # fmt: skip
    about = f"version {number} ({version.kind}) of case {case.number} of {case.origin}, {states[number]}"
    if version.kind == "P" and not course.network.wants_preliminary(case.origin):
        assert number not in filed, f"{about}: the trust asks for no preliminary reports"
        assert states[number] is None, about
        return
    delivery = states[number]
    assert delivery is not None, about
    if number in filed:
        assert delivery["state"] in {"FILED", "DROPPED"}, about
    later = [n for n in filed if n > number and expected.versions[n - 1].kind != "addendum"]
    if delivery["state"] == "DROPPED":
        assert version.kind != "addendum", f"an addendum was dropped: {about}"
        assert later, f"dropped, though nothing took its place: {about}"
        assert delivery["note"], about
    elif number not in filed:
        raise AssertionError(f"lost: {about}")


def _deliveries(case: Case, reports: Sequence[dict[str, Any]]) -> dict[int, dict[str, Any] | None]:
    """Version → its only delivery, as the router tells."""
    found: dict[int, dict[str, Any] | None] = {}
    for report in reports:
        if report["study_instance_uid"] == case.uid and report["version"] is not None:
            assert len(report["deliveries"]) <= 1
            found[report["version"]] = report["deliveries"][0] if report["deliveries"] else None
    return found


def _judge_ledger(
    course: Course, case: Case, expected: Expected, filed: dict[int, Filing], reports: dict[str, dict[str, Any]]
) -> None:
    """Each letter was received once; each version was ordered, acknowledged and filed, or dropped with a reason."""
    (trace,) = course.network.call("GET", "/ledger", study_instance_uid=case.uid)
    told = Counter((entry["event"], entry["report_id"]) for entry in trace["entries"] if entry["report_id"])
    mine = [report for report in reports.values() if report["study_instance_uid"] == case.uid]
    for report in mine:
        report_id = report["id"]
        if report["disposition"] != "WAITING":
            assert told["report.received", report_id] == 1, report
        for delivery in report["deliveries"]:
            assert told["order.return", report_id] >= 1, report
            if delivery["state"] == "DROPPED":
                assert told["delivery.dropped", report_id] == 1, report
            else:
                assert told["report.acknowledged", report_id] == 1, report
                assert told["report.filed", report_id] + told["delivery.dropped", report_id] >= 1, report
    assert {filing.report_id for filing in filed.values()} <= {report["id"] for report in mine}
    assert len([report for report in mine if report["disposition"] == "ACCEPTED"]) == len(expected.versions)


def _judge_queue(course: Course, items: Sequence[dict[str, Any]], reports: dict[str, dict[str, Any]]) -> None:
    """One item for each letter that waits, and otherwise only what the failing RIS caused."""
    held = Counter(reports[item["report_id"]]["text"] for item in items if item["kind"] in _HELD)
    waiting = Counter(
        letter.text for one in course.expected for letter, outcome in one.outcomes if outcome == "WAITING"
    )
    assert held == waiting, _difference(held, waiting)
    others = [item for item in items if item["kind"] not in _HELD]
    strange = [one for one in others if one["kind"] not in _OF_FAILING or one["node"] not in course.network.failing]
    assert strange == [], f"nobody caused these: {strange}"


def _difference(came: Counter[Any], owed: Counter[Any]) -> str:
    return f"too much: {dict(came - owed)}\nmissing: {dict(owed - came)}"
