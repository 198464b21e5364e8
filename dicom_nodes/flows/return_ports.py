"""What a report's way home and the store that remembers it say to each other."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dicom_nodes.contract import Order
from dicom_nodes.foundation.jobs import Job
from dicom_nodes.rules.report_order import Filed

SHOWS_THE_LAST = frozenset({"ris", "fhir"})
"""Channels that show what came last as the report; in an archive each version is a document of its own."""


@dataclass(frozen=True, slots=True)
class ReturnedAnswer:
    """A channel's yes, to be written down; with the channel's `job`, that is completed in the same transaction."""

    order_id: str
    channel: str
    code: str
    reference: str
    losses: tuple[str, ...] = ()
    job: Job | None = None


@dataclass(frozen=True, slots=True)
class ReturnPlace:
    """Where one order's report goes: a channel shows one report of a study."""

    order_id: str
    study_instance_uid: str
    channel: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the place's report and others of its study have come."""

    returned: bool
    """This one was acknowledged, or recalled."""
    filed: Filed | None
    """What the channel has acknowledged of the study's reports, by whichever order."""
    begun: int | None
    """The highest version that the channel may have, whether or not it said so; None for the first one."""


class ReturnStore(Protocol):
    """Returns that were ordered, and how far each has come. `job.key` of a return's job is `ORDER/CHANNEL`."""

    @property
    def standing_for_s(self) -> float:
        """How long a standing may be relied on by whoever alone returns reports to its place; in seconds.

        0 where others than this process write to the database.
        """

    @property
    def recalls(self) -> int:
        """Grows with every recall: what was read before one must be read again."""

    def kept_orders(self, order_ids: Collection[str]) -> Mapping[str, Order]:
        """Those that are kept."""

    def standings(self, places: Collection[ReturnPlace]) -> Mapping[ReturnPlace, Standing]:
        """All of them, as they were at one moment."""

    def record_all(self, answers: Sequence[ReturnedAnswer]) -> Sequence[bool | Exception]:
        """Remember acknowledgements with `ReportAcknowledged` in the outbox, durable on return; idempotent per channel.

        Of each: whether it was its order's last, so that `OrderCompleted` is in the outbox; or why it is not written
        (LeaseLost: another worker holds its job), which fails no other.
        """

    def finish_return(self, job: Job) -> bool:
        """Complete one channel's job; True where it was the order's last, and `OrderCompleted` is in the outbox.

        Raises:
            LeaseLost: another worker holds the job.
        """

    def begin_return(self, study_instance_uid: str, channel: str, version: int) -> bool:
        """Remember, durable on return, that this version's sending begins; whether it was begun before."""

    def begin_first(self, places: Collection[ReturnPlace]) -> Collection[ReturnPlace]:
        """The same of the first versions of several places; those that were begun before."""

    def forget_begun(self, study_instance_uid: str, channel: str, version: int) -> None:
        """This version did certainly not arrive."""

    def record_refused(self, order_id: str, channel: str, code: str, words: str, told: str | None = None) -> None:
        """Remember how a channel refused, in its own words: for a person at this node, and for nobody else.

        Where something is `told`, that goes to the router as the channel's answer.
        """
