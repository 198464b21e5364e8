"""One leased job: hand a notification to its channel and record what became of it.

The link is made and committed before the message leaves, so that whatever arrives can be answered. A process killed
between sending and recording sends again; every channel carries the notification's id, by which a receiver can tell.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from dicom_nodes.foundation.backoff import Park, RetryPolicy, after_failure
from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.event_log import event_log
from dicom_nodes.foundation.jobs import Job
from router.alert_settings import AlertsFile
from router.flows.alert_ports import AlertChannel, Checkpoint
from router.flows.alert_record import record_failed, record_sent
from router.flows.answer_alert import make_link
from router.flows.ports import Store
from router.flows.report_whereabouts import whereabouts
from router.flows.tell_ris import order_ris
from router.model.alert import Alert, AlertMessage, Notification, NotificationState, Urgency
from router.model.errors import ChannelFailed
from router.model.report_place import Whereabouts

_LONGEST_RETRY_S = 60.0


@dataclass(frozen=True, slots=True)
class SendNotification:
    """Carries out `alert.notify` jobs, whose key is the notification's id."""

    store: Store
    channels: Mapping[str, AlertChannel]
    settings: AlertsFile
    clock: Clock
    checkpoint: Checkpoint

    def __call__(self, job: Job) -> None:
        """Do it once.

        Raises:
            LeaseLost: another replica has taken the job over; nothing was recorded.
        """
        if job.attempt > self.settings.attempts:
            reason = f"{job.attempt - 1} attempts ended without an answer, as if each had stopped the router"
            self._give_up(job, reason)
            return
        message = self._prepare(job)
        if message is None:
            return
        self.checkpoint("notification.linked")
        try:
            reference = self._send(message)
        except ChannelFailed as failure:
            self._failed(job, failure)
            return
        self.checkpoint("notification.sent")
        with self.store.write() as tx:
            record_sent(tx, job.key, reference, self.clock())
            tx.jobs.complete(job)
        self.checkpoint("notification.recorded")

    def _prepare(self, job: Job) -> AlertMessage | None:
        """What to send; None where that is settled within this commit: nobody needs it, or a node does the sending."""
        now = self.clock()
        with self.store.write() as tx:
            told = tx.alerts.notification(job.key)
            alert = tx.alerts.get(told.alert_id, lock=True) if told is not None else None
            if told is None or alert is None or not _is_wanted(told, alert):
                tx.alerts.settle_notification(job.key, NotificationState.UNNEEDED, now, None, None)
                tx.jobs.complete(job)
                return None
            channel = self.settings.channels.get(told.recipient.channel)
            if channel is not None and channel.kind == "ris":
                order_ris(tx, alert, told, now)
                tx.jobs.complete(job)
                return None
            return _message(told, alert, make_link(tx, told, self.settings, now), whereabouts(tx, alert))

    def _send(self, message: AlertMessage) -> str:
        channel = self.channels.get(message.recipient.channel)
        if channel is None:
            reason = f"the channel {message.recipient.channel!r} is not in alerts.toml any more"
            raise ChannelFailed(reason, retryable=False)
        try:
            return channel.send(message)
        except ChannelFailed:
            raise
        except Exception as error:  # noqa: BLE001 - the job's boundary: recorded, then tried again or given up
            event_log().error("alert.channel_broke", channel=message.recipient.channel, exc_info=error)
            raise ChannelFailed(f"unexpected {type(error).__name__}", retryable=True) from None

    def _failed(self, job: Job, failure: ChannelFailed) -> None:
        policy = RetryPolicy(self.settings.attempts, self.settings.first_retry_s, _LONGEST_RETRY_S)
        now = self.clock()
        decision = after_failure(policy, job.attempt, now, random.Random())
        event_log().warning("alert.channel_failed", channel=job.destination, attempt=job.attempt, exc_info=failure)
        if failure.retryable and not isinstance(decision, Park):
            self.store.job_desk.retry(job, decision.at, str(failure))
            return
        self._give_up(job, str(failure))

    def _give_up(self, job: Job, reason: str) -> None:
        with self.store.write() as tx:
            record_failed(tx, job.key, reason, self.clock())
            tx.jobs.park(job, reason)


def _is_wanted(told: Notification, alert: Alert) -> bool:
    return told.state is NotificationState.QUEUED and alert.is_unanswered and told.round == alert.round


def _message(told: Notification, alert: Alert, link: str, at: Whereabouts) -> AlertMessage:
    return AlertMessage(
        notification_id=told.id,
        alert_id=alert.id,
        recipient=told.recipient,
        trust=alert.trust,
        accession_number=alert.accession_number,
        code=alert.code,
        code_text=alert.code_text,
        category=alert.category or "unknown code",
        urgency=alert.urgency or Urgency.CRITICAL,
        level=told.level,
        raised_at=alert.raised_at,
        deadline_at=alert.deadline_at or alert.raised_at,
        link=link,
        whereabouts=at,
        accession_issuer=alert.accession_issuer,
        held_because=alert.held_because,
    )
