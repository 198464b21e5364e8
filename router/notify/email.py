"""E-mail by SMTP (RFC 5321): the relay's 250 after DATA is what counts as taken."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from dicom_nodes.foundation.clock import Clock
from dicom_nodes.foundation.settings_file import split_host_port
from router.alert_settings import EmailChannel
from router.model.alert import AlertMessage
from router.model.errors import ChannelFailed
from router.notify.wording import subject, text


class SmtpChannel:
    """One connection a message, so that a relay which hangs up harms one attempt only."""

    def __init__(self, settings: EmailChannel, password: str | None, context: ssl.SSLContext, clock: Clock) -> None:
        self._settings, self._password, self._context, self._clock = settings, password, context, clock

    def send(self, message: AlertMessage) -> str:
        """Returns the Message-ID, which every attempt at one notification shares.

        Raises:
            ChannelFailed: not taken; permanent where the relay says 5xx.
        """
        mail = self._mail(message)
        try:
            with self._connect() as relay:
                relay.send_message(mail)
        except smtplib.SMTPRecipientsRefused as refusal:
            codes = [code for code, _ in refusal.recipients.values()]
            raise _refused("the recipient", min(codes)) from None
        except smtplib.SMTPResponseException as refusal:
            raise _refused(type(refusal).__name__, refusal.smtp_code) from None
        except (OSError, smtplib.SMTPException) as error:
            where = f"the relay {self._settings.server}"
            raise ChannelFailed(f"{where} did not take it: {type(error).__name__}", retryable=True) from None
        return str(mail["Message-ID"])

    def reach(self) -> str:
        """Call the relay as for a message, and send none; returns what it took.

        Raises:
            ChannelFailed: it cannot be reached, or refuses our TLS or login.
        """
        where = f"the relay {self._settings.server}"
        try:
            with self._connect() as relay:
                code, _ = relay.noop()
        except smtplib.SMTPAuthenticationError as refusal:
            raise ChannelFailed(f"{where} refuses our login with {refusal.smtp_code}", retryable=False) from None
        except (OSError, smtplib.SMTPException) as error:
            words = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or type(error).__name__
            raise ChannelFailed(f"{where} cannot be used: {words}", retryable=True) from None
        login = "takes our login" if self._settings.username is not None else "asks for no login"
        tls = "without TLS" if self._settings.tls == "none" else f"with {self._settings.tls.upper()}"
        return f"answers {code} {tls}, {login}"

    def _mail(self, message: AlertMessage) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self._settings.sender
        mail["To"] = message.recipient.address or ""
        mail["Subject"] = subject(message)
        mail["Date"] = format_datetime(self._clock())
        domain = parseaddr(self._settings.sender)[1].partition("@")[2]
        mail["Message-ID"] = f"<alert-{message.notification_id}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        mail["Importance"] = "high"
        mail.set_content(text(message), cte="quoted-printable")
        return mail

    def _connect(self) -> smtplib.SMTP:
        host, port = split_host_port(self._settings.server)
        if self._settings.tls == "tls":
            relay: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=self._settings.timeout_s, context=self._context)
        else:
            relay = smtplib.SMTP(host, port, timeout=self._settings.timeout_s)
        try:
            if self._settings.tls == "starttls":
                relay.starttls(context=self._context)
            if self._settings.username is not None and self._password is not None:
                relay.login(self._settings.username, self._password)
        except BaseException:
            relay.close()
            raise
        return relay


def _refused(what: str, code: int) -> ChannelFailed:
    """A relay's words may quote the message, so only its number is kept (RFC 5321 section 4.2.1)."""
    return ChannelFailed(f"the relay refused {what} with {code}", retryable=code < 500)
