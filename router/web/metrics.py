"""What a monitoring system scrapes, in Prometheus' text format; counted in the database at each scrape.

So every replica says the same, and a restart forgets nothing.
"""

from collections.abc import Iterator

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from router.web.errors import responses
from router.web.security import Staff
from router.web.services import Services, WithServices

router = APIRouter()


class _Alerts(Collector):
    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[GaugeMetricFamily]:
        now = self._services.now()
        with self._services.store.read() as tx:
            counts, late = tx.alerts.counts(), tx.alerts.past_deadline(now)
            told = tx.alerts.notification_counts()
        open_ = _gauge("readacross_alerts_open", "Alerts that are not closed", "trust", "state")
        age = _gauge("readacross_alerts_oldest_age_seconds", "Age of the oldest one", "trust", "state")
        for count in counts:
            open_.add_metric([count.trust, count.state.value], count.count)
            age.add_metric([count.trust, count.state.value], (now - count.oldest_raised_at).total_seconds())
        past = _gauge("readacross_alerts_past_deadline", "Unanswered past the code's deadline", "trust")
        for trust, number in late.items():
            past.add_metric([trust], number)
        sent = _gauge("readacross_alert_notifications", "Notifications by what became of them", "channel", "state")
        for (channel, state), number in told.items():
            sent.add_metric([channel, state], number)
        yield from (open_, age, past, sent)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=labels)


@router.get(
    "/metrics",
    tags=["health"],
    summary="Metrics for Prometheus",
    response_class=PlainTextResponse,
    responses=responses(),
)
def get_metrics(services: WithServices, _caller: Staff) -> PlainTextResponse:
    """Open alerts by trust and state, the oldest one's age, those past their deadline, notifications by channel."""
    registry = CollectorRegistry()
    registry.register(_Alerts(services))
    return PlainTextResponse(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")
