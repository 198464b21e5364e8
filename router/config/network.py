"""`network.toml`: the trusts, how each wants its reports back, and their nodes."""

from typing import Literal

from pydantic import Field, model_validator

from dicom_nodes.foundation.expectation import Expectation
from dicom_nodes.foundation.settings_file import AeTitle, OdsCode, Settings

ReturnChannelName = Literal["ris", "archive", "pdf", "fhir"]
ANSWERING_CHANNELS = frozenset({"ris", "fhir"})
"""Channels whose answer is an application's; the others only say that a document is kept."""


class ReturnsSeed(Settings):
    """How a trust wants its reports back: the channels of its node's own file, and which of them close a read."""

    channels: tuple[ReturnChannelName, ...] = ("ris", "archive")
    closed_by: tuple[ReturnChannelName, ...] = ("ris", "archive")
    preliminary: bool = Field(default=False, description="send preliminary reports at once, not only final ones")
    phone_after_s: float = Field(default=7200.0, gt=0, description="not filed by then: somebody rings the trust up")

    @model_validator(mode="after")
    def _can_close_a_read(self) -> "ReturnsSeed":
        if len(set(self.channels)) != len(self.channels) or not self.channels:
            raise Expectation("channels: expected each channel once, and one at least")
        if not set(self.closed_by) <= set(self.channels):
            raise Expectation("closed_by: expected only channels that are among `channels`")
        if not set(self.closed_by) & ANSWERING_CHANNELS:
            raise Expectation("closed_by: expected ris or fhir among them: an archive's receipt is no answer")
        return self


class TrustSeed(Settings):
    ods_code: OdsCode
    name: str = Field(min_length=1)
    returns: ReturnsSeed = ReturnsSeed()


class NodeSeed(Settings):
    """A node's DICOM address, which other nodes dial to fetch a study."""

    ods_code: OdsCode
    ae_title: AeTitle
    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65535)


class NetworkFile(Settings):
    trusts: tuple[TrustSeed, ...]
    nodes: tuple[NodeSeed, ...] = ()
