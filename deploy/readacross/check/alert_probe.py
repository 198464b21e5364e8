"""Ask a channel of alerts.toml whether it would take an alert, with its own secrets. A check sends none."""

from pathlib import Path

from dicom_nodes.foundation.clock import utc_now
from dicom_nodes.foundation.settings_file import SettingsError
from readacross.check.outcome import Answer
from router.alert_settings import AlertsFile
from router.model.errors import ChannelFailed
from router.notify.channels import Channels

_ASKED = {"email": "SMTP", "webhook": "HTTPS", "fhir": "FHIR"}


def reach(settings: AlertsFile, file: Path) -> Answer:
    """The only channel of these settings: whether it can be reached, and what it said."""
    ((name, channel),) = settings.channels.items()
    asked = _ASKED[channel.kind]
    try:
        channels = Channels(settings, file, utc_now)
    except SettingsError as error:
        return Answer(asked, False, "; ".join(f"{key}: {reason}" for key, reason in error.problems))
    try:
        return Answer(asked, True, f"{channels.by_name[name].reach()}; an alert is not sent by a check")
    except ChannelFailed as failure:
        return Answer(asked, False, f"{failure}: see channels.{name}")
    finally:
        channels.close()
