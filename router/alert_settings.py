"""Who is told of an alert, over which channels and how soon: alerts.toml as it stands on disk (ADR 115).

Secrets lie in files of their own, which are read when the router starts and not when a file is checked.
"""

from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from dicom_nodes.foundation.settings_file import HostPort, LocalPath, OdsCode, Settings

Who = Literal["referrer", "team", "duty_manager"]
UrgencyName = Literal["critical", "urgent", "significant"]
ChannelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]

_ORDER: tuple[Who, ...] = ("referrer", "team", "duty_manager")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def _secure_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.hostname is None or parts.username is not None or parts.scheme not in {"https", "http"}:
        raise ValueError("expected https://HOST/PATH")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("expected https://; only this machine itself may be called without TLS")
    return url.rstrip("/")


SecureUrl = Annotated[str, AfterValidator(_secure_url)]


class _Channel(Settings):
    timeout_s: float = Field(default=10.0, gt=0, le=20, description="for each answer of the channel")
    trusted: LocalPath | None = Field(default=None, description="PEM file of authorities; none: the system's")


class EmailChannel(_Channel):
    """An SMTP relay. A recipient's `address` is its e-mail address."""

    kind: Literal["email"]
    server: HostPort
    sender: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    tls: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password_file: LocalPath | None = None

    @model_validator(mode="after")
    def _signs_in_over_tls(self) -> "EmailChannel":
        if (self.username is None) != (self.password_file is None):
            raise ValueError("password_file: goes with username, and the other way round")
        if self.username is not None and self.tls == "none":
            raise ValueError("tls: a password is not sent without TLS")
        return self


class WebhookChannel(_Channel):
    """An address that takes a signed JSON body, such as a paging hub; a recipient's `address` names whom it pages."""

    kind: Literal["webhook"]
    url: SecureUrl
    secret_file: LocalPath


class FhirChannel(_Channel):
    """A FHIR R4 server. A recipient's `address` is a reference such as `PractitionerRole/12`."""

    kind: Literal["fhir"]
    url: SecureUrl
    token_file: LocalPath | None = None


class RisChannel(Settings):
    """The trust's own RIS, told by its node with an HL7 v2 message; the RIS knows who asked for the examination."""

    kind: Literal["ris"]


Channel = Annotated[EmailChannel | WebhookChannel | FhirChannel | RisChannel, Field(discriminator="kind")]


class CodeSettings(Settings):
    """A code by which readers raise alerts for this trust, and by when somebody must have answered."""

    code: str = Field(min_length=1, max_length=64)
    scheme: str = Field(min_length=1, max_length=64)
    category: str = Field(min_length=1, max_length=100)
    urgency: UrgencyName
    deadline_minutes: float = Field(gt=0, le=60 * 24 * 31)


class RecipientSettings(Settings):
    name: str = Field(min_length=1, max_length=200)
    channel: ChannelName
    address: str | None = Field(default=None, min_length=1, max_length=320)


class RungSettings(Settings):
    """`minutes`: how long these recipients have before the next step."""

    who: Who
    minutes: float = Field(gt=0, le=60 * 24 * 7)
    recipients: tuple[RecipientSettings, ...] = Field(min_length=1)


class TrustAlerts(Settings):
    """One trust's codes and its ladder, whose last step is the duty manager."""

    ods_code: OdsCode
    codes: tuple[CodeSettings, ...] = ()
    ladder: tuple[RungSettings, ...] = Field(min_length=1)

    def code(self, code: str, scheme: str) -> CodeSettings | None:
        return next((known for known in self.codes if (known.code, known.scheme) == (code, scheme)), None)


class AlertsFile(Settings):
    """Without this file a code of the scheme 99ALERT raises an alert all the same, on the phone list at once."""

    public_url: SecureUrl | None = Field(
        default=None, description="what the one-time links begin with, as recipients reach the router"
    )
    link_hours: float = Field(default=24.0, gt=0, le=168)
    schemes: tuple[str, ...] = Field(
        default=("99ALERT",), description="every code of these is an alert, also one that no trust lists"
    )
    unknown_code_minutes: float = Field(default=30.0, gt=0, description="deadline of a code that is not listed")
    phone_again_minutes: float = Field(default=30.0, gt=0, description="unanswered on the phone list: asked again")
    close_within_minutes: float = Field(default=1440.0, gt=0, description="ACKNOWLEDGED and not closed: asked again")
    look_every_s: float = Field(default=1.0, gt=0, le=60)
    attempts: int = Field(default=4, ge=1, le=20, description="a notification's, before its channel counts as failed")
    first_retry_s: float = Field(default=5.0, gt=0)
    lease_s: float = Field(default=30.0, gt=0, description="a killed replica's work is taken over after so long")
    channels: dict[ChannelName, Channel] = Field(default={})
    trusts: tuple[TrustAlerts, ...] = ()

    @property
    def listed(self) -> frozenset[tuple[str, str]]:
        """(scheme, code) of every trust."""
        return frozenset((code.scheme, code.code) for trust in self.trusts for code in trust.codes)

    def strictest(self, code: str, scheme: str) -> CodeSettings | None:
        """As whichever trust lists the code with the shortest deadline."""
        known = [found for trust in self.trusts if (found := trust.code(code, scheme)) is not None]
        return min(known, key=lambda found: found.deadline_minutes, default=None)

    def trust(self, ods_code: str) -> TrustAlerts | None:
        return next((trust for trust in self.trusts if trust.ods_code == ods_code), None)


def alert_problems(file: AlertsFile, trusts: set[str], network: str) -> Iterator[tuple[str, str]]:
    """What in the file contradicts itself or the network, as (key, reason)."""
    if file.channels and file.public_url is None:
        yield "public_url", "is missing: every message carries a link that begins with it"
    seen: set[str] = set()
    for number, trust in enumerate(file.trusts):
        key = f"trusts[{number}]"
        if trust.ods_code not in trusts:
            yield f"{key}.ods_code", f"expected a trust of {network}, got {trust.ods_code!r}"
        if trust.ods_code in seen:
            yield f"{key}.ods_code", f"{trust.ods_code!r} is used twice"
        seen.add(trust.ods_code)
        yield from _code_problems(key, trust)
        yield from _ladder_problems(key, trust, file)


def _code_problems(key: str, trust: TrustAlerts) -> Iterator[tuple[str, str]]:
    known: set[tuple[str, str]] = set()
    for number, code in enumerate(trust.codes):
        if (code.code, code.scheme) in known:
            yield f"{key}.codes[{number}]", f"{code.code!r} of {code.scheme!r} is listed twice"
        known.add((code.code, code.scheme))


def _ladder_problems(key: str, trust: TrustAlerts, file: AlertsFile) -> Iterator[tuple[str, str]]:
    who = [rung.who for rung in trust.ladder]
    if who != [name for name in _ORDER if name in who]:
        yield f"{key}.ladder", f"expected each of {', '.join(_ORDER)} once at most and in this order, got {who}"
    if "duty_manager" not in who:
        yield f"{key}.ladder", "expected a duty_manager as the last step: unmatched reports go there"
    for number, rung in enumerate(trust.ladder):
        kinds = {file.channels[r.channel].kind for r in rung.recipients if r.channel in file.channels}
        if rung.who == "duty_manager" and kinds == {"ris"}:
            yield (
                f"{key}.ladder[{number}].recipients",
                "expected a channel beside the RIS: it cannot place a report that matches no study",
            )
        for place, recipient in enumerate(rung.recipients):
            at = f"{key}.ladder[{number}].recipients[{place}]"
            channel = file.channels.get(recipient.channel)
            if channel is None:
                yield f"{at}.channel", f"expected one of {sorted(file.channels)}, got {recipient.channel!r}"
            elif problem := _address_problem(channel, recipient):
                yield f"{at}.address", problem


def _address_problem(channel: Channel, recipient: RecipientSettings) -> str | None:
    address = recipient.address
    if channel.kind == "ris":
        return None if address is None else "a RIS needs none: the trust's node knows it"
    if address is None:
        return None if channel.kind == "webhook" else f"is missing: the {channel.kind} channel needs one"
    local, at, domain = address.partition("@")
    if channel.kind == "email" and not (
        local and at and domain and not any(c.isspace() or c in "<>," for c in address)
    ):
        return f"expected an e-mail address, got {address!r}"
    if channel.kind == "fhir" and "/" not in address:
        return f"expected a reference such as 'PractitionerRole/12', got {address!r}"
    return None
