"""The RIS of the tests answers as told and keeps what it got."""

import socket

import pytest

from tests.peers.ris import END, START, Behaviour, MllpRis

MESSAGE = b"MSH|^~\\&|READACROSS|RXL|RIS|RXN|20261123||ORU^R01|ID1|P|2.5.1\rPID|1\r"


def _ask(port: int, timeout_s: float = 5) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        connection.sendall(START + MESSAGE[:20])
        connection.sendall(MESSAGE[20:] + END)
        answer = b""
        while END not in answer:
            chunk = connection.recv(4096)
            if not chunk:
                return answer
            answer += chunk
        return answer


@pytest.mark.parametrize("code", ["AA", "AE", "AR"])
def test_ris_answers_with_the_code_it_was_told(code: Behaviour) -> None:
    with MllpRis(code) as ris:
        answer = _ask(ris.port)
    assert answer.startswith(START + b"MSH|^~\\&|RIS|RXN|READACROSS|RXL|20261123||ACK^R01|AID1|P|2.5.1\r")
    assert b"\rMSA|" + code.encode() + b"|ID1|" in answer
    assert ris.messages == [MESSAGE]
    assert ris.control_ids() == ["ID1"]


def test_ris_can_be_silent_hang_up_and_be_off() -> None:
    with MllpRis("silent") as ris:
        with pytest.raises(TimeoutError):
            _ask(ris.port, timeout_s=0.2)
        ris.behaviour = "hang up"
        assert _ask(ris.port) == b""
        ris.stop()
        with pytest.raises(ConnectionRefusedError):
            _ask(ris.port)
        ris.behaviour = "AA"
        ris.start()
        assert b"MSA|AA|ID1" in _ask(ris.port)
        assert len(ris.messages) == 3
