"""How a receiver asks the main process: a conversation for each thread that has something to ask, used again."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dicom_nodes.receivers.channel import Channel, ChannelClosed
from dicom_nodes.receivers.questions import Answer, Failure, MainFailed, Question

NEW_CONVERSATION = b"c"
LISTENING = b"l"


class Conversation:
    """One question after the other, answered by one thread of the main process."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.is_in_step = True
        """False from a question on until its answer is read whole: what comes next may be an answer to it."""

    def ask(self, question: Question, *expected: type) -> Any:
        """The answer, of one of the `expected` types.

        Raises:
            NodeError, OSError, MainFailed: why there is none.
        """
        value, _ = self._answered(question, expected, with_descriptor=False)
        return value

    def ask_for_descriptor(self, question: Question, *expected: type) -> tuple[Any, int | None]:
        """The answer and the descriptor beside it, which is the caller's; None where there was no room for it here.

        Raises:
            NodeError, OSError, MainFailed: why there is no answer.
        """
        return self._answered(question, expected, with_descriptor=True)

    def spoil(self) -> None:
        """Use it no more: the main process is not told how what it holds for us ended, and finds out by itself."""
        self.is_in_step = False

    def close(self) -> None:
        self._channel.close()

    def _answered(
        self, question: Question, expected: tuple[type, ...], *, with_descriptor: bool
    ) -> tuple[Any, int | None]:
        self.is_in_step = False
        self._channel.send(question)
        answer, descriptor = (
            self._channel.receive_with_descriptor() if with_descriptor else (self._channel.receive(), None)
        )
        if isinstance(answer, Failure):
            self.is_in_step = True
            raise answer.error
        if not isinstance(answer, Answer) or (expected and not isinstance(answer.value, expected)):
            raise MainFailed(f"what came is no answer to {type(question).__name__}")
        self.is_in_step = True
        return answer.value, descriptor


class Link:
    """All conversations of a receiver; safe for threads. `control` is the socket that its process was started with."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._idle: list[Conversation] = []
        self._lock = threading.Lock()

    def ask(self, question: Question, *expected: type) -> Any:
        """As `Conversation.ask`."""
        with self.conversation() as conversation:
            return conversation.ask(question, *expected)

    @contextmanager
    def conversation(self) -> Iterator[Conversation]:
        """For several questions that belong together. One that is out of step is not used again.

        Raises:
            MainFailed: the main process is gone.
        """
        with self._lock:
            conversation = self._idle.pop() if self._idle else None
        try:
            conversation = conversation or self._new()
            yield conversation
        except ChannelClosed:
            raise MainFailed("the main process is gone") from None
        finally:
            if conversation is not None:
                self._keep(conversation)

    def say_listening(self) -> None:
        """The port is open."""
        self._control.send(LISTENING)

    def _keep(self, conversation: Conversation) -> None:
        if not conversation.is_in_step:
            conversation.close()
            return
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
