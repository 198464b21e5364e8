"""An association that we requested, as the requesters see it; whichever library carries it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from dicom_nodes.dimse.data_set_sink import OpenSink, new_holding_sink
from dicom_nodes.dimse.messages import PresentationContext, Request, Response, StoreRequest
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.errors import PeerRefused

LARGEST_NUMBER_OF_CONTEXTS = 128


@dataclass(frozen=True, slots=True)
class Proposal:
    """A presentation context to propose; `as_scp` asks that the partner sends to us on it (role selection)."""

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]
    as_scp: bool = False


class NoResponse(Exception):
    """A request got no answer: the message says in words whether time ran out or the association ended."""


class NoContextAccepted(PeerRefused):
    """The partner accepts the association, and none of the presentation contexts we proposed."""


class RequestedAssociation(Protocol):
    """Open until `release` or `abort`; used by one thread."""

    @property
    def contexts(self) -> tuple[PresentationContext, ...]:
        """What the partner accepted."""

    @property
    def window(self) -> int:
        """How many C-STORE requests we may have outstanding (DICOM PS3.7 D.3.3.3); 1 where nothing was agreed."""

    def send_store(self, request: StoreRequest) -> None:
        """Send a request whose answer is fetched by `next_answer`; its message id is not used by another one.

        Raises:
            NoResponse: the association is of no more use.
        """

    def has_answer(self) -> bool:
        """Whether `next_answer` has something to say already."""

    def next_answer(self) -> tuple[int | None, Response]:
        """(message id being responded to, answer) of the C-STORE answered next, in the partner's order.

        Raises:
            NoResponse: the association is of no more use.
        """

    def request(self, request: Request) -> Response:
        """Send a request and wait for its (last) answer.

        Raises:
            NoResponse: the association is of no more use.
        """

    def retrieve(
        self, request: Request, receive: Callable[[StoreRequest], Response], open_sink: OpenSink = new_holding_sink
    ) -> Response:
        """Send a C-GET; answer each sub-operation with what `receive` says; return the final answer.

        `open_sink` says where the data set of a sub-operation goes as it arrives; what it or its sink raises is
        answered as a refusal, and `receive` is not asked.

        Raises:
            NoResponse: the association is of no more use.
        """

    def release(self) -> None: ...

    def abort(self) -> None: ...


class OpenAssociation(Protocol):
    """Opens associations."""

    def __call__(self, to: ApplicationEntity, proposals: Sequence[Proposal]) -> RequestedAssociation:
        """Raises PeerUnavailable (no connection, transient rejection, abort), PeerRefused (its subclass
        NoContextAccepted when nothing we propose is accepted), all in words."""
