"""Everything the router answers no to, as one tree; each carries the HTTP status to answer with.

    RouterError
    ├── NotFound            404
    ├── NotAllowed          403: the caller may not do that, or no longer
    ├── Conflict            409
    │   ├── TransitionRefused   the read is not in a state that allows it
    │   ├── AskAgain            others were first each time: there may still be something
    │   ├── StaleLease          the fencing token is not the live one
    │   ├── ReportHeld          the report was kept, but waits for a person
    │   ├── FactGap             facts are missing before the first one sent
    │   └── OutboxForked        a fact came again under its number, with other content
    ├── ChannelFailed       502: a channel did not take a notification; `retryable` or not
    └── Invalid             422: the request contradicts itself

Messages are for people and hold no patient data.
"""


class RouterError(Exception):
    """Base of the tree."""

    status = 500
    code = "error"


class NotFound(RouterError):
    status = 404
    code = "not_found"


class NotAllowed(RouterError):
    status = 403
    code = "not_allowed"


class Conflict(RouterError):
    status = 409
    code = "conflict"


class TransitionRefused(Conflict):
    code = "transition_refused"


class AskAgain(Conflict):
    code = "ask_again"


class StaleLease(Conflict):
    code = "stale_lease"


class ReportHeld(Conflict):
    code = "report_held"


class FactGap(Conflict):
    """`expected_seq` is the next one this outbox owes; `key` names the gap in the network."""

    code = "fact_gap"

    def __init__(self, outbox: str, expected_seq: int, came_seq: int) -> None:
        self.expected_seq = expected_seq
        self.key = f"{outbox}:{expected_seq}"
        super().__init__(
            f"facts must be consecutive: expected seq {expected_seq}, {came_seq} came; "
            f"facts {expected_seq}..{came_seq - 1} never arrived"
        )


class OutboxForked(Conflict):
    """Either side was restored from a backup: the node takes a new outbox id and sends what waits from 1."""

    code = "outbox_forked"

    def __init__(self, outbox: str, seq: int) -> None:
        self.key = outbox
        super().__init__(f"fact {seq} is known with other content; a side was restored from a backup")


class ChannelFailed(RouterError):
    """`reason` in words, without what the other side quotes of the message."""

    status = 502
    code = "channel_failed"

    def __init__(self, reason: str, *, retryable: bool) -> None:
        self.retryable = retryable
        super().__init__(reason)


class Invalid(RouterError):
    status = 422
    code = "invalid"
