"""Open alerts of a study in a line each, for people who look at its reads."""

from collections.abc import Iterator, Sequence

from router.web.open_alerts import OpenAlertView


def alert_sentences(alerts: Sequence[OpenAlertView]) -> Iterator[str]:
    """How old each is, and who has it."""
    for alert in alerts:
        minutes = int(alert.age_s // 60)
        age = f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
        who = f"acknowledged by {alert.acknowledged_by}" if alert.acknowledged_by else "nobody has answered"
        late = ", past its deadline" if alert.past_deadline else ""
        phone = ", on the phone list" if alert.on_phone_list else ""
        what = alert.category or alert.code
        yield f"Open alert {alert.id}: {what}, {age} old, {alert.state}: {who}{late}{phone}."
