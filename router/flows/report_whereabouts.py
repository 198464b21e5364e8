"""Where the report behind an alert is now: nobody is told to read in their own system what is not there.

Asked anew whenever a message leaves or a page is opened, for a report goes on its way while its alert waits.
"""

from collections.abc import Iterable, Sequence

from router.flows.ports import Transaction
from router.model.alert import Alert
from router.model.delivery import DONE, OWED, UNDER_WAY, ListedDelivery
from router.model.report import Disposition, Report
from router.model.report_place import Place, Whereabouts


def whereabouts(tx: Transaction, alert: Alert) -> Whereabouts:
    """How far the alert's report has come, and whom to ring about it."""
    report = tx.reports.get(alert.report_id) if alert.report_id is not None else None
    read = tx.reads.get(alert.read_id) if alert.read_id is not None else None
    origin = read.origin if read is not None else None
    if alert.held_because is not None:
        place = Place.UNMATCHED if read is None else Place.HELD
        return Whereabouts(place, _wrote(tx, alert, report), origin, why=alert.held_because)
    if report is None and alert.raised_for.startswith("refused:"):
        return Whereabouts(Place.REFUSED, alert.raised_by, alert.trust)
    if report is None and alert.read_id is not None:
        report = _newest(tx, alert)
    if report is None:
        return Whereabouts(Place.UNWRITTEN, _wrote(tx, alert, None), alert.trust)
    return _on_its_way(tx, alert, report)


def _newest(tx: Transaction, alert: Alert) -> Report | None:
    """The last report of the alert's read that was accepted since: an alert may be raised before there is one."""
    of_study = tx.reports.of_study(alert.study_instance_uid or "")
    mine = [one for one in of_study if one.read_id == alert.read_id and one.disposition is Disposition.ACCEPTED]
    return max(mine, key=lambda one: one.version or 0, default=None)


def _on_its_way(tx: Transaction, alert: Alert, report: Report) -> Whereabouts:
    """By the deliveries of this version and of what took its place; without a version it is a second reader's."""
    listed = tx.deliveries.of_study(report.study_instance_uid or alert.study_instance_uid or "")
    mine = [one for one in listed if report.version is not None and one.version >= report.version]
    have = _channels(one for one in mine if one.delivery.state in DONE)
    owed = tuple(name for name in _channels(one for one in mine if one.delivery.state in OWED) if name not in have)
    ring = _wrote(tx, alert, report)
    if have:
        return Whereabouts(Place.FILED, ring, alert.trust, have, owed)
    if owed:
        return Whereabouts(_owed(mine), ring, alert.trust, owed=owed)
    return Whereabouts(Place.STOPPED if mine else Place.KEPT, ring, alert.trust, why=_kept(report))


def _owed(mine: Sequence[ListedDelivery]) -> Place:
    return Place.ON_ITS_WAY if any(one.delivery.state in UNDER_WAY for one in mine) else Place.STUCK


def _kept(report: Report) -> str | None:
    if report.version is None:
        return "it is a second reader's, and is sent when a person has settled it"
    return "it is preliminary" if report.status == "P" else None


def _channels(some: Iterable[ListedDelivery]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.delivery.channel for one in some))


def _wrote(tx: Transaction, alert: Alert, report: Report | None) -> str:
    """Under the name in readers.toml, for a name as a report gives it may be anybody's."""
    if report is None:
        kind, _, reader_id = alert.raised_by.partition(" ")
        reader = tx.readers.get(reader_id) if kind == "reader" else None
        return alert.raised_by if reader is None else reader.name
    author = tx.readers.by_registration(report.registration) if report.registration else None
    who = f"registration {report.registration}" if report.registration else "no registration given"
    who = f"its author, {who if author is None else f'{author.name} ({who})'}"
    return f"{who}, at {report.node}" if report.node else who
