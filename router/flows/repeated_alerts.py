"""One finding, one alert: a later version, a request and a repeat speak of the alert there is (ADR 122).

Only an alert of which the origin hears counts; what the reading site was told, the origin was not. A code means one
category and urgency, so another code is another alert.
"""

from datetime import datetime

from router.flows.alert_life import log_alert
from router.flows.human_queue import About, ask_a_person
from router.flows.ports import Transaction
from router.model.alert import Alert, AlertState
from router.model.read import Read
from router.model.report import AlertCode, Report


def told_already(tx: Transaction, code: AlertCode, study_instance_uid: str, read_id: str | None) -> Alert | None:
    """The newest alert by which the origin hears of this code of this read; of any read of the study, if None."""
    found = None
    for alert in tx.alerts.of_study(study_instance_uid):
        is_same = (alert.code, alert.scheme) == (code.value, code.scheme) and alert.held_because is None
        if is_same and (read_id is None or alert.read_id in {read_id, None}):
            found = alert
    return found


def repeats(tx: Transaction, report: Report, code: AlertCode, read: Read, by: str, now: datetime) -> bool:
    """Whether an accepted report only says again what an alert of its read says; then no other is raised.

    Whoever was told, or answered, knows of what stood then. What a correction or an addendum adds to that is another
    matter and raises anew; of a final report after a preliminary one that was answered a person is asked to compare.
    """
    known = told_already(tx, code, read.study_instance_uid, read.id)
    known = known and tx.alerts.get(known.id, lock=True)  # its ladder does not begin meanwhile
    changes = report.status == "C" or report.addendum
    if known is None or (changes and may_be_told(known)):
        return False
    log_alert(tx, "alert.repeated", known, now, by, {"report": report.id, "version": report.version})
    if not known.is_unanswered:
        reason = (
            f"version {report.version} ({report.status}) repeats the code of alert {known.id}, which "
            f"{known.acknowledged_by} answered before it came: see whether it is the same finding, else telephone"
        )
        _ask(tx, "alert_repeated", reason, known, report, now)
    return True


def may_be_told(alert: Alert) -> bool:
    """Whether its ladder has begun: then a message is on its way, or a person telephones."""
    return alert.state is not AlertState.RAISED or alert.level > 0 or alert.phoned_at is not None


def ask_about_missing(tx: Transaction, report: Report, read: Read, now: datetime) -> None:
    """A later version does not name what an earlier one did: no alert ends by that, and a person compares."""
    if report.addendum:
        return
    named = {(code.value, code.scheme) for code in report.alert_codes}
    for alert in tx.alerts.of_study(read.study_instance_uid):
        by_report = alert.raised_for.startswith("report:") and alert.report_id != report.id
        by_report = by_report and alert.held_because is None
        if by_report and alert.read_id == read.id and (alert.code, alert.scheme) not in named:
            reason = (
                f"version {report.version} ({report.status}) does not name {alert.code}, for which an earlier one "
                f"raised alert {alert.id} ({alert.state.value}): it goes on until a named person closes it: compare"
            )
            _ask(tx, "alert_not_repeated", reason, alert, report, now)


def _ask(tx: Transaction, kind: str, reason: str, alert: Alert, report: Report, now: datetime) -> None:
    about = About(alert.study_instance_uid, report.read_id, report.id, node=alert.trust or None)
    ask_a_person(tx, kind, reason, f"{alert.id}:{report.id}", now, about)
