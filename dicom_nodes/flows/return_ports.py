"""What a report's way home and the store that remembers it say to each other."""

from dataclasses import dataclass

from dicom_nodes.foundation.jobs import Job


@dataclass(frozen=True, slots=True)
class ReturnedAnswer:
    """A channel's yes, to be written down; with the channel's `job`, that is completed in the same transaction."""

    order_id: str
    channel: str
    code: str
    reference: str
    losses: tuple[str, ...] = ()
    job: Job | None = None
