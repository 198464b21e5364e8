"""What a message says, once for all channels, and no more than it must (ADR 116).

Never in it: the patient's name, number or birth date, the report's text. Times are local with their UTC beside them,
because in the hour that occurs twice in October a local time alone names two instants (HAZARDS 19).
"""

from datetime import UTC, datetime

from router.model.alert import AlertMessage
from router.rules.local_time import ZONE
from router.rules.report_place_words import where_it_is


def subject(message: AlertMessage) -> str:
    """For lists and lock screens: no identifier at all."""
    return (
        f"{message.urgency.value.capitalize()} alert for {message.trust}: acknowledge by {moment(message.deadline_at)}"
    )


def text(message: AlertMessage) -> str:
    """The whole message as plain text."""
    named = f"{message.code_text} ({message.code})" if message.code_text else message.code
    lines = [
        f"A report of an imaging study needs action: {message.category}.",
        "",
        f"Trust:      {message.trust}",
        f"Accession:  {accession(message.accession_number, message.accession_issuer)}",
        f"Code:       {named}",
        f"Urgency:    {message.urgency.value}",
        f"Raised:     {moment(message.raised_at)}",
        f"Answer by:  {moment(message.deadline_at)}",
        f"Alert:      {message.alert_id[:8]} (say this on the telephone)",
        "",
    ]
    lines += [
        where_it_is(message.whereabouts),
        "",
        f"Sent to {message.recipient.name} (step {message.level}). Then answer at:",
        message.link,
        "",
        "Until a named person has acknowledged, others are told. This link is for you alone; do not forward it.",
        "",
    ]
    return "\n".join(lines)


def accession(number: str | None, issuer: str | None) -> str:
    """With whose number it is: two trusts may use the same one."""
    if number is None:
        return "not known"
    return f"{number} of {issuer}" if issuer else f"{number}, the report does not say whose"


def moment(at: datetime) -> str:
    """`Sun 25 Oct 2026 01:30 GMT (01:30 UTC)`."""
    local, utc = at.astimezone(ZONE), at.astimezone(UTC)
    return f"{local:%a %d %b %Y %H:%M %Z} ({utc:%H:%M} UTC)"
