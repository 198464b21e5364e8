"""What a receiver says of an instance that it was allowed to keep: not kept only where the spool says so."""

import socket
import threading

import pytest

from dicom_nodes.model.errors import OutOfResources
from dicom_nodes.receivers import questions as q
from dicom_nodes.receivers.channel import Channel, ChannelClosed
from dicom_nodes.receivers.link import Link
from dicom_nodes.receivers.remote import RemoteRegister
from dicom_nodes.rules.ingest import Take
from tests.integration.receivers.test_desk import candidate


@pytest.mark.parametrize(("error", "said"), [(OutOfResources("full"), ["GiveUp"]), (MemoryError(), ["its end"])])
def test_only_what_the_spool_refused_is_given_up(error: BaseException, said: list[str]) -> None:
    ours, theirs = socket.socketpair()
    heard: list[str] = []

    def answer() -> None:
        (_, (descriptor,), _, _) = socket.recv_fds(theirs, 1, 1)
        channel = Channel(socket.socket(fileno=descriptor))
        try:
            channel.receive()
            channel.send(q.Answer(Take()))
            heard.append(type(channel.receive()).__name__)
            channel.send(q.Answer())
        except ChannelClosed:
            heard.append("its end")
        channel.close()

    main = threading.Thread(target=answer)
    main.start()
    link = Link(ours)
    with ours, theirs:
        with pytest.raises(type(error)), RemoteRegister(link).judged(candidate(1)):
            raise error
        main.join(20)
        for idle in link._idle:
            idle.close()
    assert heard == said
