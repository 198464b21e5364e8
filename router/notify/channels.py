"""Makes the channels of alerts.toml, with their secrets; what is missing stops the router's start."""

import ssl
from pathlib import Path

import httpx2

from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.settings_file import SettingsError
from router.alert_settings import AlertsFile, EmailChannel, FhirChannel, WebhookChannel
from router.notify.email import SmtpChannel
from router.notify.fhir import FhirCommunication
from router.notify.webhook import SignedWebhook

_SHORTEST_SECRET = 32
Sending = SmtpChannel | SignedWebhook | FhirCommunication
"""Each an `AlertChannel`, which a check can reach without sending."""


class Channels:
    """By name; a channel that is the RIS is not here, because a node does its sending."""

    def __init__(self, settings: AlertsFile, file: Path, clock: Clock) -> None:
        """Raises SettingsError: a secret's file cannot be read, or holds too little."""
        self._clients: list[httpx2.Client] = []
        self.by_name: dict[str, Sending] = {}
        for name, channel in settings.channels.items():
            secrets = _Secrets(file, f"channels.{name}")
            if isinstance(channel, EmailChannel):
                password = secrets.optional("password_file", channel.password_file)
                self.by_name[name] = SmtpChannel(channel, password, secrets.trust(channel.trusted), clock)
            elif isinstance(channel, WebhookChannel):
                secret = secrets.read("secret_file", channel.secret_file, _SHORTEST_SECRET).encode()
                self.by_name[name] = SignedWebhook(
                    channel, secret, self._client(channel, secrets), secrets.trust(channel.trusted), clock
                )
            elif isinstance(channel, FhirChannel):
                token = secrets.optional("token_file", channel.token_file)
                self.by_name[name] = FhirCommunication(channel, token, self._client(channel, secrets))

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def _client(self, channel: WebhookChannel | FhirChannel, secrets: "_Secrets") -> httpx2.Client:
        context = secrets.trust(channel.trusted)
        client = httpx2.Client(timeout=channel.timeout_s, verify=context, trust_env=False)
        self._clients.append(client)
        return client


class _Secrets:
    """Reads the secrets of one channel; says file and key, never the content."""

    def __init__(self, file: Path, key: str) -> None:
        self._file, self._key = file, key

    def trust(self, authorities: Path | None) -> ssl.SSLContext:
        """Who is believed to be the other side; TLS 1.2 at least."""
        try:
            return ssl.create_default_context(cafile=authorities)
        except OSError as error:  # SSLError too
            reason = f"{authorities} cannot be used: {error.strerror or type(error).__name__}"
            raise self._problem("trusted", reason) from None

    def optional(self, name: str, path: Path | None) -> str | None:
        return None if path is None else self.read(name, path, 1)

    def read(self, name: str, path: Path, shortest: int) -> str:
        try:
            secret = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise self._problem(name, f"{path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise self._problem(name, f"{path} is not UTF-8 text") from None
        if len(secret) < shortest:
            raise self._problem(name, f"{path}: expected at least {shortest} characters, got {len(secret)}")
        return secret

    def _problem(self, name: str, reason: str) -> SettingsError:
        return SettingsError(self._file, [(f"{self._key}.{name}", reason)])
