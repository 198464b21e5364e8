"""A signed JSON body to an address of the trust's, such as a paging hub.

`Readacross-Signature: t=SECONDS,v1=HEX`, where HEX is HMAC-SHA256 with the shared secret over `SECONDS.BODY`. The
receiver compares in constant time, refuses what is older than a few minutes, and takes `Readacross-Notification` as
the key by which a repeat is told from a new one.
"""

import hashlib
import hmac
import json
import ssl

import httpx2

from dicom_nodes.foundation.clock import Clock
from router.alert_settings import WebhookChannel
from router.model.alert import AlertMessage
from router.notify.web_calls import post, reach
from router.rules.report_place_words import where_it_is


class SignedWebhook:
    def __init__(
        self, settings: WebhookChannel, secret: bytes, client: httpx2.Client, context: ssl.SSLContext, clock: Clock
    ) -> None:
        self._settings, self._secret, self._client, self._clock = settings, secret, client, clock
        self._context = context

    def send(self, message: AlertMessage) -> str:
        """Returns the receiver's status.

        Raises:
            ChannelFailed: not taken.
        """
        body = json.dumps(_body(message), ensure_ascii=False, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            "Readacross-Notification": message.notification_id,
            "Readacross-Signature": signature(self._secret, int(self._clock().timestamp()), body),
        }
        return f"HTTP {post(self._client, self._settings.url, body, headers, 'the webhook').status_code}"

    def reach(self) -> str:
        """Whether the address takes a connection; asks nothing of it.

        Raises:
            ChannelFailed: it does not.
        """
        return reach(self._settings.url, self._context, self._settings.timeout_s)


def signature(secret: bytes, seconds: int, body: bytes) -> str:
    """The header's value for this body at this time (seconds since 1970)."""
    signed = hmac.new(secret, f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={signed}"


def _body(message: AlertMessage) -> dict[str, object]:
    return {
        "version": 1,
        "alert_id": message.alert_id,
        "notification_id": message.notification_id,
        "recipient": message.recipient.address or message.recipient.name,
        "trust": message.trust,
        "accession_number": message.accession_number,
        "accession_issuer": message.accession_issuer,
        "code": message.code,
        "code_text": message.code_text,
        "category": message.category,
        "urgency": message.urgency.value,
        "level": message.level,
        "raised_at": message.raised_at.isoformat(),
        "deadline_at": message.deadline_at.isoformat(),
        "held_because": message.held_because,
        "report": {"place": message.whereabouts.place.value, "text": where_it_is(message.whereabouts)},
        "acknowledge_at": message.link,
    }
