"""FHIR R4 Communication to a server of the trust's (https://hl7.org/fhir/R4/communication.html).

A conditional create (`If-None-Exist` on our identifier) makes a repeat harmless where the server knows that.
"""

import json

import httpx2

from router.alert_settings import FhirChannel
from router.model.alert import AlertMessage, Urgency
from router.model.errors import ChannelFailed
from router.notify.web_calls import post
from router.notify.wording import text

_PRIORITY = {Urgency.CRITICAL: "stat", Urgency.URGENT: "asap", Urgency.SIGNIFICANT: "urgent"}
"""FHIR's request-priority: stat is the most urgent, then asap, urgent, routine."""
_URI = "urn:ietf:rfc:3986"


class FhirCommunication:
    def __init__(self, settings: FhirChannel, token: str | None, client: httpx2.Client) -> None:
        self._settings, self._token, self._client = settings, token, client

    def send(self, message: AlertMessage) -> str:
        """Returns where the server keeps it, as far as it says.

        Raises:
            ChannelFailed: not taken.
        """
        headers = {
            "Content-Type": "application/fhir+json",
            "Accept": "application/fhir+json",
            "If-None-Exist": f"identifier={_URI}|urn:uuid:{message.notification_id}",
        }
        if self._token is not None:
            headers |= self._bearer()
        body = json.dumps(communication(message), ensure_ascii=False).encode()
        answer = post(self._client, f"{self._settings.url}/Communication", body, headers, "the FHIR server")
        return answer.headers.get("Location", f"HTTP {answer.status_code}")[:500]

    def reach(self) -> str:
        """Read /metadata with our token; sends nothing.

        Raises:
            ChannelFailed: no answer, another token is wanted, or it is no FHIR R4 server's base.
        """
        headers = {"Accept": "application/fhir+json"} | ({} if self._token is None else self._bearer())
        try:
            answer = self._client.get(f"{self._settings.url}/metadata", headers=headers, follow_redirects=False)
            version = str(answer.json()["fhirVersion"])
        except httpx2.HTTPError as error:
            raise ChannelFailed(
                f"{self._settings.url} did not answer: {type(error).__name__}", retryable=True
            ) from None
        except (ValueError, KeyError, TypeError):
            words = f"{self._settings.url} answers {answer.status_code} to /metadata"
            raise ChannelFailed(
                f"{words}: is this a FHIR server's base, and our token one of it?", retryable=False
            ) from None
        if not version.startswith("4."):
            raise ChannelFailed(f"{self._settings.url} speaks FHIR {version}; alerts are R4", retryable=False)
        return f"speaks FHIR {version}"

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}


def communication(message: AlertMessage) -> dict[str, object]:
    """The resource. `in-progress`: it is completed by whoever acknowledges, not by being received."""
    resource: dict[str, object] = {
        "resourceType": "Communication",
        "identifier": [{"system": _URI, "value": f"urn:uuid:{message.notification_id}"}],
        "status": "in-progress",
        "category": [
            {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/communication-category", "code": "alert"},
                ],
                "text": message.category,
            }
        ],
        "priority": _PRIORITY[message.urgency],
        "topic": {"text": message.code_text or message.code},
        "recipient": [{"reference": message.recipient.address, "display": message.recipient.name}],
        "sent": message.raised_at.isoformat(),
        "payload": [{"contentString": text(message)}],
    }
    if message.accession_number is not None:
        resource["about"] = [{"identifier": _accession(message), "display": "the study's accession number"}]
    return resource


def _accession(message: AlertMessage) -> dict[str, object]:
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]}
    identifier: dict[str, object] = {"type": kind, "value": message.accession_number}
    if message.accession_issuer is not None:
        ods = {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": message.accession_issuer}
        identifier["assigner"] = {"identifier": ods}
    return identifier
