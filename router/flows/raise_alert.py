"""An alert is raised: in the commit that keeps the report, once for each of its codes, whatever becomes of the report.

Nothing here waits for matching, for the report's way home, or for a channel: only the row is written. The ladder is
laid by the clock (`escalate_alerts`), a second later at most.
"""

from dataclasses import replace
from datetime import datetime
from functools import partial
from uuid import uuid4

from router.flows.alert_life import change_alert, log_alert, resolve_items
from router.flows.human_queue import About, ask_a_person
from router.flows.ports import Transaction
from router.flows.repeated_alerts import ask_about_missing, may_be_told, repeats, told_already
from router.model.alert import Alert, AlertState
from router.model.read import Read
from router.model.report import AlertCode, Disposition, Report
from router.model.study import Study
from router.rules.alert_states import AlertActor, AlertEvent

NO_TRUST = ""
_LONGEST_ID = 64
_REFUSED = "refused:"
_REFUSED_CHANGE = f"{_REFUSED}change:"
"""Of a report that corrects or adds to an earlier one, or does not say."""


def raise_for_report(tx: Transaction, report: Report, read: Read | None, now: datetime) -> None:
    """Raise what the report's codes ask for: at the origin when it was accepted, else at the site that reads.

    A report names many codes; which of them are alerts the list says (`AlertCodes`). A reader who files through the API
    names none but alerts.

    `read` is the read that the report was matched to for sure. A failure here never keeps a report back: a person is
    told instead.
    """
    for code in report.alert_codes:
        if report.channel != "api" and not tx.alert_codes.ask(code):
            continue
        failure = tx.attempt(partial(_raise_or_redirect, tx, report, code, read, now))
        if failure is not None:
            reason = f"an alert of this report could not be raised ({type(failure).__name__}): read it and telephone"
            about = About(report_id=report.id, node=report.node)
            ask_a_person(tx, "phone_list", reason, f"{report.id}:{code.scheme}:{code.value}", now, about)
    if report.disposition is Disposition.ACCEPTED and read is not None and report.version != 1:
        failure = tx.attempt(partial(ask_about_missing, tx, report, read, now))
        if failure is not None:
            reason = f"whether this version still names its alerts is not known ({type(failure).__name__}): read it"
            ask_a_person(tx, "alert_not_repeated", reason, report.id, now, About(report_id=report.id, node=report.node))


def raise_for_refusal(
    tx: Transaction, key: str, code: AlertCode, study: Study, raised_by: str, changes: bool, now: datetime
) -> None:
    """Raise the alert of a report that was refused, at the origin of the study that it is of for certain.

    What `changes` an earlier report may say something else under the same code: whoever was told hears of it anew.
    But once until somebody answers: its sender repeats it until it is taken, and each repetition is a refusal of its
    own. Each refused original waits for a person besides.
    """
    uid = study.study_instance_uid
    tx.reads.of_study(uid, lock=True)  # nobody else raises the same meanwhile
    before = _change_before(tx, code, uid, raised_by) if changes else None
    known = before or told_already(tx, code, uid, None)
    known = known and tx.alerts.get(known.id, lock=True)  # its ladder does not begin meanwhile
    is_told_anew = changes and before is None and known is not None and may_be_told(known)
    if known is not None and known.is_unanswered and not is_told_anew:
        log_alert(tx, "alert.repeated", known, now, raised_by, {"refusal": key})
        return
    alert = replace(
        _new(f"{_REFUSED_CHANGE if changes else _REFUSED}{key}", code, study.origin, raised_by, now),
        study_instance_uid=uid,
        accession_number=study.accession_number,
        accession_issuer=study.accession_issuer,
    )
    _raised_once(tx, alert, now)


def _change_before(tx: Transaction, code: AlertCode, study_instance_uid: str, sender: str) -> Alert | None:
    """What an earlier refused correction of this sender raised, if nobody has answered it."""
    for alert in tx.alerts.of_study(study_instance_uid):
        is_such = alert.raised_for.startswith(_REFUSED_CHANGE) and alert.raised_by == sender
        if is_such and alert.is_unanswered and (alert.code, alert.scheme) == (code.value, code.scheme):
            return alert
    return None


def ask_about_unread(tx: Transaction, node: str, body: dict[str, object], key: str, now: datetime) -> None:
    """A report that cannot be taken may name alerts: nobody can be told by machine, so a person telephones.

    Of a report that was refused at the node, its original is there under its refusal's id.
    """
    given = body.get("alert_codes")
    codes = given if isinstance(given, list) else [given] if given else []
    names = any(_may_alert(tx, code) for code in codes)
    is_refused = body.get("kind") == "report.refused"
    if body.get("kind") == "report.received" and names:
        reason = f"a report of {node} that cannot be understood names an alert code: read the failed fact and telephone"
        ask_a_person(tx, "phone_list", reason, f"fact:{key}", now, About(node=node))
    elif is_refused and (names or body.get("looked_through", True) is not True):
        found = str(body.get("refusal_id"))[:_LONGEST_ID].replace("\x00", "\ufffd")
        original = f"readacross refused at node {node}, id {found}"
        telephone_about_refused(tx, f"node {node}", original, names, f"fact:{key}", node, now)


def telephone_about_refused(
    tx: Transaction, sender: str, original: str, names: bool, key: str, node: str | None, now: datetime
) -> None:
    """Nobody can be told by machine: a person reads the refused report, which is where `original` says, and rings."""
    why = "names an alert code" if names else "may name an alert code where nobody could look"
    reason = f"a refused report of {sender} {why}, and nobody is told by machine: read the original ({original}) and "
    ask_a_person(tx, "phone_list", f"{reason}telephone", key, now, About(node=node))


def _may_alert(tx: Transaction, said: object) -> bool:
    if not isinstance(said, dict):
        return True
    value, scheme = said.get("value"), said.get("scheme")
    is_code = isinstance(value, str) and isinstance(scheme, str)
    return not is_code or bool(tx.alert_codes.ask(AlertCode(str(value), str(scheme))))


def raise_by_hand(
    tx: Transaction, read: Read, code: AlertCode, raised_by: str, request_id: str | None, now: datetime
) -> Alert:
    """A reader raises an alert about a read; the same request, or the same code under the same lease, raises one.

    What a report raised already and nobody has answered is not raised again.
    """
    key = f"request:{raised_by}:{request_id}" if request_id else f"read:{read.id}:{read.epoch}"
    known = told_already(tx, code, read.study_instance_uid, read.id)
    if known is not None and known.is_unanswered and known.raised_for.startswith(("report:", "refused:")):
        log_alert(tx, "alert.repeated", known, now, raised_by, {"request": key})
        return known
    study = tx.studies.get(read.study_instance_uid)
    alert = replace(
        _new(key, code, read.origin, raised_by, now),
        read_id=read.id,
        study_instance_uid=read.study_instance_uid,
        accession_number=study.accession_number if study else None,
        accession_issuer=study.accession_issuer if study else None,
    )
    return _raised_once(tx, alert, now)


def _raise_or_redirect(tx: Transaction, report: Report, code: AlertCode, read: Read | None, now: datetime) -> None:
    accepted = report.disposition is Disposition.ACCEPTED and read is not None
    known = tx.alerts.raised_for(f"report:{report.id}", code.value, code.scheme, lock=True)
    if known is not None:
        if accepted and read is not None and known.held_because is not None:
            _redirect(tx, known, read, now)
        return
    if accepted and read is not None and repeats(tx, report, code, read, _author(tx, report), now):
        return
    is_dropped = report.disposition is Disposition.DROPPED and read is not None
    if is_dropped and read is not None and told_already(tx, code, read.study_instance_uid, read.id) is not None:
        return
    study = tx.studies.get(read.study_instance_uid) if read is not None else None
    trust = read.origin if accepted and read is not None else _reading_site(tx, report)
    alert = replace(
        _new(f"report:{report.id}", code, trust, _author(tx, report), now),
        report_id=report.id,
        read_id=read.id if read is not None else None,
        study_instance_uid=read.study_instance_uid if read is not None else None,
        accession_number=study.accession_number if study else report.accession_number,
        accession_issuer=study.accession_issuer if study else report.accession_issuer,
        held_because=None if accepted else "; ".join(report.reasons) or "the report was not accepted",
    )
    _raised_once(tx, alert, now)


def _redirect(tx: Transaction, alert: Alert, read: Read, now: datetime) -> None:
    """The report is matched after all: the origin, which has not heard of it, gets its own ladder from now on.

    That the reading site acknowledged does not count for the origin; that somebody closed it does.
    """
    if not alert.is_open:
        return
    study = tx.studies.get(read.study_instance_uid)
    for kind in ("phone_list", "alert_unclosed"):
        resolve_items(tx, alert, kind, "router", "the report was matched: its origin is told", now)
    changes = {
        "trust": read.origin,
        "round": alert.round + 1,
        "read_id": read.id,
        "study_instance_uid": read.study_instance_uid,
        "accession_number": study.accession_number if study else alert.accession_number,
        "accession_issuer": study.accession_issuer if study else alert.accession_issuer,
        "held_because": None,
        "started_at": now,
        "look_at": now,
        "level": 0,
        "deadline_at": None,
        "phone_at": None,
        "phoned_at": None,
        "acknowledged_by": None,
        "acknowledged_at": None,
        "acknowledged_note": None,
    }
    detail = {"from_trust": alert.trust, "to_trust": read.origin, "acknowledged_there_by": alert.acknowledged_by}
    tx.alerts.withdraw_notifications(alert.id, now)
    change_alert(tx, alert, AlertEvent.REDIRECT, AlertActor.ROUTER, now, by="router", detail=detail, changes=changes)


def _reading_site(tx: Transaction, report: Report) -> str:
    """The trust whose duty manager hears of a report that waits: where it came in, or where its author sits."""
    if report.node is not None:
        return report.node
    author = tx.readers.by_registration(report.registration) if report.registration else None
    return author.workstation.node if author is not None else NO_TRUST


def _author(tx: Transaction, report: Report) -> str:
    """Who raises it, named as the API names its callers where the author is known."""
    author = tx.readers.by_registration(report.registration) if report.registration else None
    if author is not None:
        return f"reader {author.id}"
    return f"registration {report.registration}" if report.registration else f"report {report.id}"


def _new(raised_for: str, code: AlertCode, trust: str, raised_by: str, now: datetime) -> Alert:
    return Alert(
        id=str(uuid4()),
        raised_for=raised_for,
        code=code.value,
        scheme=code.scheme,
        code_text=code.text,
        trust=trust,
        raised_by=raised_by,
        raised_at=now,
        state=AlertState.RAISED,
        entered_at=now,
        look_at=now,
        started_at=now,
        round=1,
    )


def _raised_once(tx: Transaction, alert: Alert, now: datetime) -> Alert:
    if not tx.alerts.add(alert):
        known = tx.alerts.raised_for(alert.raised_for, alert.code, alert.scheme)
        assert known is not None
        return known
    detail = {"code": alert.code, "scheme": alert.scheme, "trust": alert.trust, "held_because": alert.held_because}
    log_alert(tx, "alert.raised", alert, now, alert.raised_by, detail)
    return alert
