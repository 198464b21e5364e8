"""How a receiver asks the main process: a conversation for each thread that has something to ask, used again."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from dicom_nodes.receivers.channel import Channel, ChannelClosed
from dicom_nodes.receivers.questions import Answer, Failure, MainFailed, Question

NEW_CONVERSATION = b"c"
LISTENING = b"l"


class Conversation:
    """One question after the other, answered by one thread of the main process."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def ask(self, question: Question) -> object:
        """The answer.

        Raises:
            NodeError, OSError, MainFailed: why there is none.
        """
        value, _ = self._answered(question, with_descriptor=False)
        return value

    def ask_for_descriptor(self, question: Question) -> tuple[object, int]:
        """The answer and the descriptor beside it, which is the caller's; raises as `ask`."""
        value, descriptor = self._answered(question, with_descriptor=True)
        if descriptor is None:
            raise MainFailed("a descriptor is missing")
        return value, descriptor

    def close(self) -> None:
        self._channel.close()

    def _answered(self, question: Question, *, with_descriptor: bool) -> tuple[object, int | None]:
        self._channel.send(question)
        answer, descriptor = (
            self._channel.receive_with_descriptor() if with_descriptor else (self._channel.receive(), None)
        )
        if isinstance(answer, Failure):
            raise answer.error
        if not isinstance(answer, Answer):
            raise MainFailed("not an answer")
        return answer.value, descriptor


class Link:
    """All conversations of a receiver; safe for threads. `control` is the socket that its process was started with."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._idle: list[Conversation] = []
        self._lock = threading.Lock()

    def ask(self, question: Question) -> object:
        """As `Conversation.ask`."""
        with self.conversation() as conversation:
            return conversation.ask(question)

    @contextmanager
    def conversation(self) -> Iterator[Conversation]:
        """For several questions that belong together. One that the main process is gone from is not used again.

        Raises:
            MainFailed: the main process is gone.
        """
        with self._lock:
            conversation = self._idle.pop() if self._idle else None
        try:
            conversation = conversation or self._new()
            yield conversation
        except ChannelClosed:
            if conversation is not None:
                conversation.close()
            raise MainFailed("the main process is gone") from None
        except BaseException:
            self._keep(conversation)
            raise
        self._keep(conversation)

    def say_listening(self) -> None:
        """The port is open."""
        self._control.send(LISTENING)

    def _keep(self, conversation: Conversation | None) -> None:
        if conversation is not None:
            with self._lock:
                self._idle.append(conversation)

    def _new(self) -> Conversation:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._control, [NEW_CONVERSATION], [theirs.fileno()])
            except OSError as error:
                ours.close()
                raise ChannelClosed(str(error)) from None
        return Conversation(Channel(ours))
