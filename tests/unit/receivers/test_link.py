"""What a receiver is answered is the answer to what it asked: a conversation out of step is never used again."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from dicom_nodes.receivers import questions as q
from dicom_nodes.receivers.channel import Channel, ChannelClosed
from dicom_nodes.receivers.link import Conversation, Link


class MainProcess:
    """Answers every question with what `answer` says; remembers which conversations it was told the end of."""

    def __init__(self, control: socket.socket, answer: Callable[[object], object]) -> None:
        self._control, self._answer = control, answer
        self.begun = 0
        self.ended = threading.Semaphore(0)
        self.serving = threading.Thread(target=self._serve, daemon=True)
        self.serving.start()

    def _serve(self) -> None:
        while True:
            word, descriptors, _, _ = socket.recv_fds(self._control, 1, 1)
            if not word:
                return
            self.begun += 1
            channel = Channel(socket.socket(fileno=descriptors[0]))
            threading.Thread(target=self._converse, args=(channel,), daemon=True).start()

    def _converse(self, channel: Channel) -> None:
        try:
            while True:
                channel.send(q.Answer(self._answer(channel.receive())))
        except ChannelClosed:
            channel.close()
            self.ended.release()


@contextmanager
def linked(answer: Callable[[object], object]) -> Iterator[tuple[Link, MainProcess]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        link, main = Link(ours), MainProcess(theirs, answer)
        yield link, main
        ours.shutdown(socket.SHUT_RDWR)
        for idle in link._idle:
            idle.close()
            assert main.ended.acquire(timeout=20)
        main.serving.join(timeout=20)  # it waits on a socket that is about to be closed
        assert not main.serving.is_alive()


def _itself(question: object) -> object:
    return question


def test_an_answer_that_was_not_read_is_not_taken_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with linked(_itself) as (link, main), link.conversation() as first:
        assert first.ask(q.AskRoom()) == q.AskRoom()
        with pytest.raises(MemoryError):
            _ask_and_run_out_of_memory(link, monkeypatch)
        assert main.ended.acquire(timeout=20), "the main process is not told of its end"
        assert link.ask(q.AskRoom()) == q.AskRoom()
        assert main.begun == 3


def _ask_and_run_out_of_memory(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    with link.conversation() as conversation:
        monkeypatch.setattr(conversation._channel, "receive", _out_of_memory)
        conversation.ask(q.CatchUp())


def _out_of_memory() -> object:
    raise MemoryError


def test_an_answer_of_another_type_is_none_and_ends_the_conversation() -> None:
    with linked(_itself) as (link, main):
        with pytest.raises(q.MainFailed, match="no answer to CatchUp"):
            link.ask(q.CatchUp(), bool)
        assert main.ended.acquire(timeout=20)


def test_a_conversation_in_step_is_used_again_whatever_its_user_raised() -> None:
    def use(conversation: Conversation) -> None:
        conversation.ask(q.AskRoom())
        raise KeyError

    with linked(_itself) as (link, main):
        for _ in range(3):
            with pytest.raises(KeyError), link.conversation() as conversation:
                use(conversation)
        assert main.begun == 1
